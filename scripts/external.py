from pathlib import Path

import numpy as np

from gliaflow.images import read_image, single_volume
from gliaflow.job import job
from gliaflow.preprocess.resample import check_on_grid
from gliaflow.preprocess.transforms import read_transform
from gliaflow.segment.external import external_member
from gliaflow.segment.members import keep_members, keep_model_facts

with job(snakemake.log[0], snakemake.params.name):
    params, given = snakemake.params, snakemake.input
    origin = f"segment.external, {snakemake.wildcards.external}"
    labels = check_on_grid(single_volume(read_image(given.labels)), read_image(given.grid), origin)
    mask = read_image(given.mask)
    matrix = np.eye(4) if params.in_atlas else read_transform(given.to_atlas)
    member = external_member(labels, mask, matrix, regions=params.regions, values=params.values, name=origin)
    folder = Path(snakemake.output.members)
    keep_members(
        folder,
        [member],
        mask,
        regions=params.regions,
        sources=[origin, given.to_atlas],
        space=params.space,
        parameters={"values": params.values},
    )
    keep_model_facts(folder, {"Members": 1})
