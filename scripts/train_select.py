from gliaflow.job import job
from gliaflow.sidecar import write_json
from gliaflow.tables import write_table
from gliaflow.train.select import (
    CV_COLUMNS,
    MISSING_COLUMNS,
    cv_table,
    missing_table,
    read_scores,
    select_losses,
)

with job(snakemake.log[0], snakemake.params.name):
    scores = read_scores(snakemake.input.scores)
    selected = select_losses(scores)
    write_json(snakemake.output.selection, {str(fold): loss for fold, loss in selected.items()})
    write_table(snakemake.output.table, cv_table(scores, selected), CV_COLUMNS)
    write_table(snakemake.output.missing, missing_table(scores, selected), MISSING_COLUMNS)
