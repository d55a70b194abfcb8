from pathlib import Path

import numpy as np

from gliaflow.images import new_image, read_image
from gliaflow.job import job
from gliaflow.preprocess.transforms import read_transform
from gliaflow.raters.atlas import rater_masks, weighed_agreement
from gliaflow.results import keep_image

with job(snakemake.log[0], snakemake.params.name):
    params, given = snakemake.params, snakemake.input
    mask = read_image(given.mask)
    masks = rater_masks(
        [Path(path) for path in given.raters],
        read_image(given.grid),
        mask,
        read_transform(given.to_atlas),
        convention=params.values,
        region=snakemake.wildcards.region,
    )
    levels, weights = weighed_agreement(masks, params.weights)
    keep_image(
        snakemake.output.levels,
        new_image(levels, mask.affine, np.uint8),
        like=mask,
        dtype=np.uint8,
        constant_ok=True,
        sources=[params.cell, given.to_atlas],
        space=params.space,
        parameters={"values": params.values, "rater_weights": params.weights},
        software=["SimpleITK"],
        Region=snakemake.wildcards.region,
        Raters=len(masks),
        Weights=weights,
    )
