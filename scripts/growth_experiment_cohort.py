from pathlib import Path

from gliaflow.growth.experiment import (
    EXPERIMENT_COLUMNS,
    PATIENT_COLUMNS,
    experiment_table,
    patient_correlations,
)
from gliaflow.growth.judge import EXPERIMENT_ROW_COLUMNS
from gliaflow.growth.plots import draw_experiment
from gliaflow.job import job
from gliaflow.tables import NAME_COLUMNS, read_rows, write_table

with job(snakemake.log[0], snakemake.params.name):
    made = snakemake.output
    rows = read_rows(map(Path, snakemake.input))
    patients = patient_correlations(rows)
    write_table(made.tables[0], rows, NAME_COLUMNS | EXPERIMENT_ROW_COLUMNS)
    write_table(made.tables[1], patients, PATIENT_COLUMNS)
    write_table(made.tables[2], experiment_table(patients), EXPERIMENT_COLUMNS)
    draw_experiment(Path(made.picture), rows)
