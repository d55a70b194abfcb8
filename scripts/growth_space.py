import numpy as np

from gliaflow.growth.space import carry_labels, growth_grid
from gliaflow.images import data_of, read_image
from gliaflow.job import job
from gliaflow.preprocess.resample import read_labels
from gliaflow.results import keep_image, keep_mask

with job(snakemake.log[0], snakemake.params.name):
    params, given, made = snakemake.params, snakemake.input, snakemake.output
    mask = growth_grid(read_image(given.mask), params.resolution_mm)
    labels = read_labels(given.labels, read_image(given.grid), params.values, params.cell)
    facts = {
        "space": "growth",
        "parameters": {"resolution_mm": params.resolution_mm},
        "software": ["SimpleITK"],
    }
    keep_mask(made.mask, mask, like=mask, sources=[given.mask], **facts)
    carried = carry_labels(labels, mask, within=data_of(mask) > 0)
    keep_image(
        made.labels, carried, like=mask, dtype=np.uint8, constant_ok=True, sources=[params.cell], **facts
    )
