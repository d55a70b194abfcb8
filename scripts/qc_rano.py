from gliaflow.features.columns import MEASURED
from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.report.rano import draw_rano

with job(snakemake.log[0], snakemake.params.name):
    params, given = snakemake.params, snakemake.input
    draw_rano(
        dict(zip(params.sequences, map(read_image, given.images), strict=True)),
        read_image(given.labels),
        read_image(given.mask),
        snakemake.output[0],
        measured=MEASURED,
        regions=params.regions,
        measurable_mm=params.settings["measurable_mm"],
        neighbours=params.settings["neighbours"],
        smallest_ml=params.settings["smallest_lesion_ml"],
        title=f"{params.name}, model {params.facts['Model']}",
        dpi=params.dpi,
    )
