from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.preprocess.resample import apply_mask, resample
from gliaflow.preprocess.transforms import read_transform
from gliaflow.results import keep_image

with job(snakemake.log[0], snakemake.params.name):
    mask = read_image(snakemake.input.mask)
    matrix = read_transform(snakemake.input.to_ref) @ read_transform(snakemake.input.to_atlas)
    moved = resample(
        read_image(snakemake.input.image), mask, matrix, interpolation=snakemake.params.interpolation
    )
    keep_image(
        snakemake.output.image,
        apply_mask(moved, mask),
        like=mask,
        sources=[snakemake.input.image, snakemake.input.to_ref, snakemake.input.to_atlas],
        space=snakemake.params.space,
        parameters={"interpolation": snakemake.params.interpolation, "n4": snakemake.params.n4},
        software=["SimpleITK"],
        SkullStripped=True,
    )
