from pathlib import Path

from gliaflow.habitats.steps import write_sample
from gliaflow.job import job

with job(snakemake.log[0], snakemake.params.name):
    given, params = snakemake.input, snakemake.params
    maps = dict(zip(params.maps, map(Path, given.maps), strict=True))
    write_sample(maps, Path(given.labels), Path(snakemake.output[0]), **params.settings)
