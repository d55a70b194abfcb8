import numpy as np

from gliaflow.growth.space import carry_labels, growth_grid
from gliaflow.images import data_of, new_image, read_image, single_volume
from gliaflow.job import job
from gliaflow.labels import given_labels
from gliaflow.preprocess.resample import check_on_grid
from gliaflow.results import keep_image, keep_mask

with job(snakemake.log[0], snakemake.params.name):
    params, given, made = snakemake.params, snakemake.input, snakemake.output
    mask = growth_grid(read_image(given.mask), params.resolution_mm)
    labels = check_on_grid(single_volume(read_image(given.labels)), read_image(given.grid), params.cell)
    values = given_labels(data_of(labels, np.float64), params.values or "gliaflow", params.cell)
    facts = {"space": "growth", "parameters": {"resolution_mm": params.resolution_mm}}
    keep_mask(made.mask, mask, like=mask, sources=[given.mask], **facts)
    carried = carry_labels(new_image(values, labels.affine, np.uint8), mask, within=data_of(mask) > 0)
    keep_image(
        made.labels, carried, like=mask, dtype=np.uint8, constant_ok=True, sources=[params.cell], **facts
    )
