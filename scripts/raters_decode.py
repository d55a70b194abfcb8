from pathlib import Path

from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.raters.members import read_levels
from gliaflow.raters.results import keep_agreement

with job(snakemake.log[0], snakemake.params.name):
    params, mask = snakemake.params, read_image(snakemake.input.mask)
    keep_agreement(
        read_levels(Path(snakemake.input.members) / params.within, mask),
        mask,
        level=snakemake.output.level,
        expected=snakemake.output.expected,
        sources=[snakemake.input.members],
        space=params.space,
        parameters={},
        **params.facts,
    )
