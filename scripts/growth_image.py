from gliaflow.growth.space import carry_image
from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.preprocess.resample import apply_mask
from gliaflow.results import keep_image

with job(snakemake.log[0], snakemake.params.name):
    mask = read_image(snakemake.input.mask)
    keep_image(
        snakemake.output.image,
        apply_mask(carry_image(read_image(snakemake.input.image), mask), mask),
        like=mask,
        sources=[snakemake.input.image, snakemake.input.mask],
        space="growth",
        parameters={"interpolation": "linear"},
        software=["SimpleITK"],
        SkullStripped=True,
    )
