from gliaflow.job import job
from gliaflow.raters.results import score_agreement
from gliaflow.raters.score import QUBIQ_COLUMNS
from gliaflow.tables import write_table

with job(snakemake.log[0], snakemake.params.name):
    given = snakemake.input
    rows = score_agreement(given.reference, given.level, given.expected)
    write_table(snakemake.output.table, rows, QUBIQ_COLUMNS)
