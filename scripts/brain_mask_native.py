import numpy as np

from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.preprocess.resample import resample_mask
from gliaflow.preprocess.transforms import read_transform
from gliaflow.results import keep_mask

with job(snakemake.log[0], snakemake.params.name):
    grid = read_image(snakemake.input.grid)
    to_ref = read_transform(snakemake.input.to_ref)
    mask = resample_mask(read_image(snakemake.input.mask), grid, np.linalg.inv(to_ref))
    keep_mask(
        snakemake.output.mask,
        mask,
        like=grid,
        sources=[snakemake.input.mask, snakemake.input.to_ref],
        space=snakemake.wildcards.sequence,
        parameters={},
        software=["SimpleITK"],
    )
