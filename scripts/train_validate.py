from pathlib import Path

from gliaflow.job import job
from gliaflow.tables import write_table
from gliaflow.train.dataset import case_of
from gliaflow.train.validate import SCORE_COLUMNS, validate_fold

with job(snakemake.log[0], snakemake.params.name):
    params = snakemake.params
    rows = validate_fold(
        Path(snakemake.input.checkpoint),
        Path(snakemake.input.plans[0]).parent,
        [case_of(case) for case in params.cases],
        Path(snakemake.output.probabilities),
        fold=int(snakemake.wildcards.fold),
        loss=snakemake.wildcards.loss,
        sequences=params.recipe["sequences"],
        regions=params.recipe["regions"],
        leave_out=params.leave_out,
        settings=params.settings,
        threads=snakemake.threads,
    )
    write_table(snakemake.output.scores, rows, SCORE_COLUMNS)
