from pathlib import Path

from gliaflow.job import job
from gliaflow.predict.steps import Given, write_cross_validation
from gliaflow.predict.tasks import settings_of, task_of

with job(snakemake.log[0], snakemake.params.name):
    given, made = snakemake.input, snakemake.output
    write_cross_validation(
        Given([Path(path) for path in given.features], Path(given.participants[0])),
        task_of(snakemake.params.task),
        settings_of(snakemake.params.settings),
        Path(made.table),
        Path(made.importance),
    )
