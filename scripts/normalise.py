from gliaflow.images import data_of, new_image, read_image
from gliaflow.job import job
from gliaflow.preprocess.normalise import normalise
from gliaflow.results import keep_image

with job(snakemake.log[0], snakemake.params.name):
    image, mask = read_image(snakemake.input.image), read_image(snakemake.input.mask)
    reference = snakemake.input.reference
    settings = {"method": snakemake.params.method, "percentiles": snakemake.params.percentiles}
    values = normalise(
        data_of(image),
        data_of(mask) > 0,
        **settings,
        reference=data_of(read_image(reference[0])) if reference else None,
    )
    keep_image(
        snakemake.output.image,
        new_image(values, image.affine),
        like=image,
        sources=[snakemake.input.image, snakemake.input.mask],
        space=snakemake.params.space,
        parameters=settings,
        software=["scikit-image"],
        SkullStripped=True,
    )
