from pathlib import Path

import numpy as np

from gliaflow.fuse.decode import decode
from gliaflow.fuse.mean import mean_probability
from gliaflow.images import new_image, read_image, write_image
from gliaflow.job import job
from gliaflow.labels import meaning
from gliaflow.results import keep_image
from gliaflow.segment.members import read_members
from gliaflow.segment.segmenters import quantise
from gliaflow.sidecar import write_sidecar

with job(snakemake.log[0], snakemake.params.name):
    params, mask = snakemake.params, read_image(snakemake.input.mask)
    probability = quantise(mean_probability(read_members([Path(snakemake.input.members)], mask)))
    facts = {
        "sources": [snakemake.input.members],
        "space": params.space,
        "parameters": {"method": params.method, **params.decoding},
        "Regions": params.regions,
        **params.facts,
    }
    write_image(snakemake.output.probability, probability, mask.affine, np.uint8)
    write_sidecar(snakemake.output.probability, **facts, Scale="uint8 0..255 for 0..1")
    labels = decode((probability + 0.5) / 256, params.regions, **params.decoding)
    keep_image(
        snakemake.output.labels,
        new_image(labels, mask.affine, np.uint8),
        like=mask,
        dtype=np.uint8,
        constant_ok=True,
        **facts,
        Labels=meaning(params.regions),
    )
