from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.report.habitats import draw_habitats
from gliaflow.sidecar import read_json

with job(snakemake.log[0], snakemake.params.name):
    given, params = snakemake.input, snakemake.params
    draw_habitats(
        dict(zip(params.maps, map(read_image, given.maps), strict=True)),
        read_image(given.habitats),
        read_image(given.brain),
        snakemake.output[0],
        title=params.name,
        empty=read_json(given.sidecar).get("Empty", ""),
        dpi=params.dpi,
    )
