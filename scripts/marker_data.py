from pathlib import Path

from gliaflow.job import job
from gliaflow.marker.dataset import see_session, write_seen
from gliaflow.marker.pathology import read_patches

with job(snakemake.log[0], snakemake.params.name):
    given, params, names = snakemake.input, snakemake.params, snakemake.wildcards
    images = dict(zip(params.sequences, map(Path, given.images), strict=True))
    slides = [read_patches(Path(path), names.cohort, names.subject) for path in given.pathology]
    seen = see_session(
        images,
        Path(given.labels),
        Path(given.brain),
        **params.settings,
        graph=next(map(Path, given.graph), None),
        patches=next(iter(slides), None),
    )
    write_seen(Path(snakemake.output[0]), seen)
