from gliaflow.export.scene import write_scene
from gliaflow.job import job

with job(snakemake.log[0], snakemake.params.name):
    given = snakemake.input
    images = dict(zip(snakemake.params.sequences, given.images, strict=True))
    write_scene(snakemake.output[0], images, given.labels, given.colours)
