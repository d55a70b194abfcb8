from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.preprocess.resample import resample
from gliaflow.preprocess.transforms import read_transform
from gliaflow.results import keep_image

with job(snakemake.log[0], snakemake.params.name):
    grid = read_image(snakemake.input.grid)
    settings = {"interpolation": snakemake.params.interpolation}
    keep_image(
        snakemake.output.image,
        resample(read_image(snakemake.input.image), grid, read_transform(snakemake.input.to_ref), **settings),
        like=grid,
        sources=[snakemake.input.image, snakemake.input.to_ref],
        space="ref",
        parameters=settings,
        software=["SimpleITK"],
    )
