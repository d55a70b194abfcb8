from pathlib import Path
from tempfile import TemporaryDirectory

from gliaflow.convert.source import sort_study
from gliaflow.convert.table import write_series_table
from gliaflow.job import job
from gliaflow.sidecar import write_json

with job(snakemake.log[0], snakemake.params.name), TemporaryDirectory(dir=snakemake.resources.tmpdir) as work:
    selection = sort_study(
        Path(snakemake.params.study),
        expect=snakemake.params.expect,
        settings=snakemake.params.settings,
        work=Path(work),
        pins=snakemake.params.pins,
    )
    write_json(snakemake.output.selection, selection.keys)
    write_series_table(Path(snakemake.output.table), selection.rows)
