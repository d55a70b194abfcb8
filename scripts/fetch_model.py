from pathlib import Path

from gliaflow.fetch import fetch_file
from gliaflow.job import job

with job(snakemake.log[0], snakemake.params.name):
    params = snakemake.params
    fetch_file(params.url, params.sha256, Path(snakemake.output[0]), params.name)
