from pathlib import Path

from gliaflow.job import job
from gliaflow.marker.steps import Given, write_applied
from gliaflow.predict.tasks import task_of

with job(snakemake.log[0], snakemake.params.name):
    given, params = snakemake.input, snakemake.params
    people = [Path(path) for path in given.participants]
    left_out = [Path(path) for path in given.out_of_fold]
    write_applied(
        Given(params.sessions, [Path(path) for path in given.images], people[0] if people else None),
        task_of(params.task),
        Path(given.package),
        left_out[0] if left_out else None,
        Path(snakemake.output.table),
    )
