from pathlib import Path

from gliaflow.job import job
from gliaflow.report.session_files import SessionFiles
from gliaflow.report.session_page import write_session_page

with job(snakemake.log[0], snakemake.params.name):
    write_session_page(
        SessionFiles(**dict(snakemake.wildcards.items())),
        snakemake.output[0],
        earlier=[Path(path) for path in snakemake.input.earlier],
        rano=snakemake.params.rano,
        dpi=snakemake.params.dpi,
        decisions=snakemake.params.decisions,
    )
