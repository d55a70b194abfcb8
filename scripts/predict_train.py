from pathlib import Path

from gliaflow.job import job
from gliaflow.predict.steps import Given, write_trained
from gliaflow.predict.tasks import settings_of, task_of

with job(snakemake.log[0], snakemake.params.name):
    given, made = snakemake.input, snakemake.output
    write_trained(
        Given([Path(path) for path in given.features], Path(given.participants[0])),
        task_of(snakemake.params.task),
        settings_of(snakemake.params.settings),
        scores=Path(given.scores),
        package=Path(made.package),
        card=Path(made.card),
    )
