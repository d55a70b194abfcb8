from pathlib import Path

from gliaflow.job import job
from gliaflow.marker.settings import networks_of, repeated
from gliaflow.marker.steps import Given, write_package
from gliaflow.predict.tasks import settings_of, task_of

with job(snakemake.log[0], snakemake.params.name):
    given, made, params = snakemake.input, snakemake.output, snakemake.params
    networks = networks_of(params.networks)
    write_package(
        Given(params.sessions, [Path(path) for path in given.images], Path(given.participants[0])),
        task_of(params.task),
        repeated(settings_of(params.settings), networks),
        networks,
        checkpoint=Path(given.checkpoint),
        scores=Path(given.scores),
        package=Path(made.package),
        card=Path(made.card),
    )
