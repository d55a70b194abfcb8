from pathlib import Path

from gliaflow.job import job
from gliaflow.marker.dataset import see_session, write_seen

with job(snakemake.log[0], snakemake.params.name):
    given, params = snakemake.input, snakemake.params
    images = dict(zip(params.sequences, map(Path, given.images), strict=True))
    seen = see_session(images, Path(given.labels), Path(given.brain), **params.settings)
    write_seen(Path(snakemake.output[0]), seen)
