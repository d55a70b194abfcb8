from pathlib import Path

from gliaflow.job import job
from gliaflow.marker.settings import networks_of, repeated
from gliaflow.marker.steps import Given, write_out_of_fold
from gliaflow.predict.tasks import settings_of, task_of

with job(snakemake.log[0], snakemake.params.name):
    given, params = snakemake.input, snakemake.params
    networks = networks_of(params.networks)
    write_out_of_fold(
        Given(params.sessions, [Path(path) for path in given.images], Path(given.participants[0])),
        task_of(params.task),
        repeated(settings_of(params.settings), networks),
        networks,
        checkpoints=dict(zip(params.splits, map(Path, given.checkpoints), strict=True)),
        path=Path(snakemake.output.table),
    )
