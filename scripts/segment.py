from pathlib import Path

from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.segment.members import keep_members
from gliaflow.segment.segmenters import segment

with job(snakemake.log[0], snakemake.params.name):
    mask = read_image(snakemake.input.mask)
    images = dict(zip(snakemake.params.sequences, map(read_image, snakemake.input.images), strict=True))
    members = segment(snakemake.params.kind, images, mask, snakemake.params.settings)
    keep_members(
        Path(snakemake.output.members),
        members,
        mask,
        regions=snakemake.params.regions,
        sources=list(snakemake.input.images),
        space=snakemake.params.space,
        parameters={
            "model": snakemake.wildcards.model,
            "kind": snakemake.params.kind,
            **snakemake.params.settings,
        },
    )
