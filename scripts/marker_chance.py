from pathlib import Path

from gliaflow.job import job
from gliaflow.marker.chance import write_permuted

with job(snakemake.log[0], snakemake.params.name):
    write_permuted(
        Path(snakemake.input[0]),
        snakemake.params.permutations,
        snakemake.params.seed,
        Path(snakemake.output.table),
    )
