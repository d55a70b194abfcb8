from pathlib import Path

from gliaflow.fetch import fetch_archive
from gliaflow.job import job
from gliaflow.preprocess.hdbet_weights import check_weights

with job(snakemake.log[0], snakemake.params.name):
    folder = Path(snakemake.output[0])
    fetch_archive(snakemake.params.url, snakemake.params.sha256, folder, "hd-bet")
    check_weights(folder)
