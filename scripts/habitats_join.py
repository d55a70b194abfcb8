from pathlib import Path

from gliaflow.habitats.steps import write_joined
from gliaflow.job import job

with job(snakemake.log[0], snakemake.params.name):
    given = snakemake.input
    write_joined(Path(given.features), Path(given.habitats), Path(snakemake.output.table))
