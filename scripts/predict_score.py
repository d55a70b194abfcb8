from pathlib import Path

from gliaflow.job import job
from gliaflow.predict.steps import Judged, write_scores
from gliaflow.predict.tasks import settings_of, task_of

with job(snakemake.log[0], snakemake.params.name):
    given, params = snakemake.input, snakemake.params
    scores, chance, *groups = map(Path, snakemake.output.tables)
    write_scores(
        Path(given.out_of_fold),
        [Path(path) for path in given.chance],
        task_of(params.task),
        settings_of(params.settings),
        Judged(scores, chance, *(groups or [None]), list(map(Path, snakemake.output.pictures))),
        dpi=params.dpi,
    )
