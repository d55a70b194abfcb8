from gliaflow.checks import check_image
from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.preprocess.keep_registration import keep_registration, register_or_keep
from gliaflow.preprocess.resample import apply_mask


def image_of(role):
    image, mask = read_image(snakemake.input[role]), snakemake.input.get(f"{role}_mask")
    check_image(image, snakemake.input[role])
    return apply_mask(image, read_image(mask)) if mask else image


with job(snakemake.log[0], snakemake.params.name):
    settings = {"kind": snakemake.params.kind, "seed": snakemake.params.seed}
    result = register_or_keep(
        image_of("fixed"),
        image_of("moving"),
        **settings,
        same_space="the sheet or config says that the session's scans share a grid (registered)",
    )
    keep_registration(
        snakemake.output.transform, snakemake.output.report, result, settings, snakemake.params.name
    )
