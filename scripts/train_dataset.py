from pathlib import Path

from gliaflow.job import job
from gliaflow.tables import write_table
from gliaflow.train.dataset import SESSION_COLUMNS, case_of, session_rows, write_dataset

with job(snakemake.log[0], snakemake.params.name):
    params = snakemake.params
    write_dataset(
        Path(snakemake.output.raw),
        [case_of(case) for case in params.cases],
        sequences=params.recipe["sequences"],
        regions=params.recipe["regions"],
    )
    write_table(snakemake.output.sessions, session_rows(params.cases), SESSION_COLUMNS)
