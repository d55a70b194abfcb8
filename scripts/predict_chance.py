from pathlib import Path

from gliaflow.job import job
from gliaflow.predict.names import batch_numbers
from gliaflow.predict.steps import Given, write_chance
from gliaflow.predict.tasks import settings_of, task_of

with job(snakemake.log[0], snakemake.params.name):
    given, settings = snakemake.input, settings_of(snakemake.params.settings)
    write_chance(
        Given([Path(path) for path in given.features], Path(given.participants[0])),
        task_of(snakemake.params.task),
        settings,
        batch_numbers(int(snakemake.wildcards.batch), settings.permutations),
        Path(snakemake.output.table),
    )
