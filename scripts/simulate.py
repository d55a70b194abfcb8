from pathlib import Path

from gliaflow.job import job
from gliaflow.simulate.cohort import write_session

with job(snakemake.log[0], snakemake.params.name):
    write_session(
        Path(snakemake.output[0]),
        snakemake.wildcards.subject,
        snakemake.wildcards.session,
        seed=snakemake.params.seed,
        resolution_mm=snakemake.params.resolution_mm,
    )
