from gliaflow.checks import check_inside
from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.preprocess.resample import resample_mask
from gliaflow.preprocess.transforms import read_transform
from gliaflow.results import keep_mask

with job(snakemake.log[0], snakemake.params.name):
    source, grid = read_image(snakemake.input.mask), read_image(snakemake.input.grid)
    to_atlas = read_transform(snakemake.input.to_atlas)
    check_inside(source, grid, to_atlas, snakemake.output.mask)
    mask = resample_mask(source, grid, to_atlas)
    keep_mask(
        snakemake.output.mask,
        mask,
        like=grid,
        sources=[snakemake.input.mask, snakemake.input.to_atlas],
        space=snakemake.params.space,
        parameters={},
        software=["SimpleITK"],
    )
