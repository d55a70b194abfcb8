from pathlib import Path

from gliaflow.job import job
from gliaflow.marker.settings import networks_of, repeated
from gliaflow.marker.steps import Given, write_fitted
from gliaflow.predict.tasks import settings_of, task_of

with job(snakemake.log[0], snakemake.params.name):
    given, params = snakemake.input, snakemake.params
    networks = networks_of({**params.networks, "frozen_weights": next(iter(given.weights), None)})
    write_fitted(
        Given(params.sessions, [Path(path) for path in given.images], Path(given.participants[0])),
        task_of(params.task),
        repeated(settings_of(params.settings), networks),
        networks,
        split=snakemake.wildcards.split,
        path=Path(snakemake.output[0]),
        threads=snakemake.threads,
    )
