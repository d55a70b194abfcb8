import numpy as np

from gliaflow.images import data_of, new_image, read_image, single_volume
from gliaflow.job import job
from gliaflow.labels import given_labels
from gliaflow.preprocess.resample import check_on_grid, resample_labels
from gliaflow.preprocess.transforms import read_transform
from gliaflow.results import keep_image

with job(snakemake.log[0], snakemake.params.name):
    params = snakemake.params
    mask, grid = read_image(snakemake.input.mask), read_image(snakemake.input.grid)
    given = single_volume(read_image(snakemake.input.label))
    reference = check_on_grid(given, grid, params.cell)
    values = given_labels(data_of(reference, np.float64), params.values, params.cell)
    labels = new_image(values, reference.affine, np.uint8)
    keep_image(
        snakemake.output.labels,
        resample_labels(labels, mask, read_transform(snakemake.input.to_atlas)),
        like=mask,
        dtype=np.uint8,
        constant_ok=True,
        sources=[params.cell, snakemake.input.to_atlas],
        space=params.space,
        parameters={"values": params.values},
    )
