from pathlib import Path

import numpy as np

from gliaflow.growth.fits import FitSettings, foretell
from gliaflow.growth.kernels import use_threads
from gliaflow.growth.session import read_tissue, write_map
from gliaflow.images import data_of, read_image
from gliaflow.job import job
from gliaflow.sidecar import write_json

with job(snakemake.log[0], snakemake.params.name):
    params, given, made = snakemake.params, snakemake.input, snakemake.output
    use_threads(snakemake.threads)
    mask = read_image(given.mask)
    tissue = read_tissue(given.tissue, given.diffusion, mask)
    settings = FitSettings(**params.settings)
    labels = data_of(read_image(given.labels), np.uint8)
    log = Path(snakemake.log[0]).with_suffix(".command.log")
    found = foretell(tissue, labels, mask.affine, settings, seed=params.seed, log=log)
    facts = {
        "sources": [*given.tissue, given.labels],
        "parameters": {"model": settings.model},
        "software": ["cma", "numba", "scikit-fmm", "scipy"],
    }
    for path, name in zip(made.invasion, ("median", "low", "high"), strict=True):
        write_map(path, getattr(found.times, name), mask, Meaning=found.record["meaning"], **facts)
    for path in made.density:
        write_map(path, found.density, mask, **facts)
    write_json(made.fit, found.record)
