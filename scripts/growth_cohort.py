from pathlib import Path

from gliaflow.evaluate.bootstrap import Bootstrap
from gliaflow.growth.coverage import COVERAGE_COLUMNS, COVERAGE_TABLE_COLUMNS, coverage_table
from gliaflow.growth.judge import JUDGED_COLUMNS
from gliaflow.growth.plots import draw_coverage
from gliaflow.job import job
from gliaflow.tables import NAME_COLUMNS, read_rows, write_table

with job(snakemake.log[0], snakemake.params.name):
    params, given, made = snakemake.params, snakemake.input, snakemake.output
    rows = read_rows(map(Path, given.coverage))
    standard = rows[0]["plan"]
    intervals = Bootstrap(resamples=params.resamples, seed=params.seed)
    write_table(made.tables[0], read_rows(map(Path, given.ranking)), NAME_COLUMNS | JUDGED_COLUMNS)
    write_table(made.tables[1], rows, NAME_COLUMNS | COVERAGE_COLUMNS)
    write_table(made.tables[2], coverage_table(rows, standard, intervals), COVERAGE_TABLE_COLUMNS)
    draw_coverage(Path(made.picture), rows, "model", standard, intervals)
