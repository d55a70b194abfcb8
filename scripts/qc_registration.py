from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.report.centre import view_centre
from gliaflow.report.pictures import draw_registration

with job(snakemake.log[0], snakemake.params.name):
    params, mask = snakemake.params, read_image(snakemake.input.mask)
    images = dict(zip(params.sequences, map(read_image, snakemake.input.images), strict=True))
    labels = read_image(snakemake.input.labels[0]) if snakemake.input.labels else None
    draw_registration(
        images[params.reference],
        images,
        mask,
        (params.atlas, read_image(snakemake.input.atlas), read_image(snakemake.input.in_atlas)),
        view_centre(mask, labels),
        snakemake.output[0],
        title=params.name,
        reference_name=params.reference,
        dpi=params.dpi,
    )
