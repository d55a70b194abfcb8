import numpy as np

from gliaflow.fuse.decode import VOLUME_COLUMNS, measure
from gliaflow.fuse.to_grid import labels_on_grid
from gliaflow.images import data_of, read_image, spacing_of
from gliaflow.job import job
from gliaflow.labels import meaning
from gliaflow.preprocess.transforms import read_transform
from gliaflow.results import keep_image
from gliaflow.tables import write_table

with job(snakemake.log[0], snakemake.params.name):
    params, grid = snakemake.params, read_image(snakemake.input.grid)
    labels = labels_on_grid(
        read_image(snakemake.input.probability),
        read_image(snakemake.input.mask),
        np.linalg.inv(read_transform(snakemake.input.to_atlas)),
        regions=params.regions,
        **params.decoding,
    )
    keep_image(
        snakemake.output.labels,
        labels,
        like=grid,
        dtype=np.uint8,
        constant_ok=True,
        sources=[snakemake.input.probability, snakemake.input.to_atlas],
        space="ref",
        parameters=params.decoding,
        Regions=params.regions,
        Labels=meaning(params.regions),
        **params.facts,
    )
    voxel_ml = float(np.prod(spacing_of(labels))) / 1000
    row = {**dict(snakemake.wildcards.items()), "model": params.facts["Model"]}
    row |= measure(data_of(labels, np.uint8), voxel_ml, params.regions)
    write_table(snakemake.output.volumes, [row], VOLUME_COLUMNS)
