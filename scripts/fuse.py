from pathlib import Path

import numpy as np

from gliaflow.fuse.mean import mean_probability
from gliaflow.images import read_image, write_image
from gliaflow.job import job
from gliaflow.segment.members import read_members, read_model_facts
from gliaflow.segment.segmenters import quantise
from gliaflow.sidecar import write_sidecar

with job(snakemake.log[0], snakemake.params.name):
    params, mask = snakemake.params, read_image(snakemake.input.mask)
    folder = Path(snakemake.input.members) / params.within
    model = read_model_facts(folder)
    probability = quantise(mean_probability(read_members([folder], mask), params.method))
    write_image(snakemake.output.probability, probability, mask.affine, np.uint8)
    write_sidecar(
        snakemake.output.probability,
        sources=[snakemake.input.members],
        space=params.space,
        parameters={"method": params.method},
        Regions=params.regions,
        **params.facts,
        **model,
        Scale="uint8 0..255 for 0..1",
    )
