import sys
from pathlib import Path

from gliaflow.job import job
from gliaflow.tables import write_table
from gliaflow.usage import USAGE_COLUMNS, Asked, measured_jobs, profile_lines, usage_rows, usage_table

with job(snakemake.log[0], snakemake.params.name):
    asked = {rule: Asked(*values) for rule, values in snakemake.params.asked.items()}
    rows = usage_rows(measured_jobs(Path(snakemake.params.measured)), asked)
    write_table(snakemake.output.table, rows, USAGE_COLUMNS)
    Path(snakemake.output.profile).write_text(profile_lines(rows), encoding="utf-8")
    print(usage_table(rows), file=sys.stderr)
