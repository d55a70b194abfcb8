from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.report.pictures import draw_segmentation

with job(snakemake.log[0], snakemake.params.name):
    params = snakemake.params
    draw_segmentation(
        {
            sequence: read_image(path)
            for sequence, path in zip(params.sequences, snakemake.input.images, strict=True)
        },
        read_image(snakemake.input.labels),
        read_image(snakemake.input.mask),
        snakemake.output[0],
        regions=params.regions,
        title=f"{params.name}, model {params.facts['Model']}",
        dpi=params.dpi,
    )
