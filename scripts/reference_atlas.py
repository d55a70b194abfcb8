import numpy as np

from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.preprocess.resample import read_labels, resample_labels
from gliaflow.preprocess.transforms import read_transform
from gliaflow.results import keep_image

with job(snakemake.log[0], snakemake.params.name):
    params, given = snakemake.params, snakemake.input
    mask = read_image(given.mask)
    labels = read_labels(given.label, read_image(given.grid), params.values, params.cell)
    keep_image(
        snakemake.output.labels,
        resample_labels(labels, mask, read_transform(given.to_atlas)),
        like=mask,
        dtype=np.uint8,
        constant_ok=True,
        sources=[params.cell, given.to_atlas],
        space=params.space,
        parameters={"values": params.values},
        software=["SimpleITK"],
    )
