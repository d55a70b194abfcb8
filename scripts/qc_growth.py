from gliaflow.growth.fits import notes_of, read_fit
from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.report.growth import draw_growth

with job(snakemake.log[0], snakemake.params.name):
    params, given = snakemake.params, snakemake.input
    fitted = read_fit(given.fit)
    draw_growth(
        read_image(given.image),
        read_image(given.mask),
        read_image(given.labels),
        dict(zip(("median", "low", "high"), map(read_image, given.invasion), strict=True)),
        dict(zip(("standard", "model"), map(read_image, given.plans), strict=True)),
        snakemake.output[0],
        title=f"{params.name}, model {fitted.model}",
        notes=notes_of(fitted),
        dpi=params.dpi,
    )
