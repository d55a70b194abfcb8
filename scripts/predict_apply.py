from pathlib import Path

from gliaflow.job import job
from gliaflow.predict.steps import Given, write_predictions
from gliaflow.predict.tasks import task_of

with job(snakemake.log[0], snakemake.params.name):
    given = snakemake.input
    people = [Path(path) for path in given.participants]
    tasks = [task_of(entry) for entry in snakemake.params.tasks]
    left_out = map(Path, given.out_of_fold)
    write_predictions(
        Given([Path(path) for path in given.features], people[0] if people else None),
        tasks,
        [Path(path) for path in given.packages],
        [next(left_out) if task.package is None else None for task in tasks],
        Path(snakemake.output.table),
        further=[Path(path) for path in given.networks],
    )
