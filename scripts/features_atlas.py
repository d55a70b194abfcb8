import numpy as np

from gliaflow.features.atlas import atlas_tissue_maps, atlas_ventricles
from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.results import keep_image

with job(snakemake.log[0], "atlas"):
    params, given, made = snakemake.params, snakemake.input, snakemake.output
    grid, brain = read_image(given.grid), read_image(given.mask)
    said = {"sources": [given.grid], "space": params.space, "software": ["nilearn"]}
    if made.tissue:
        maps = atlas_tissue_maps(grid, brain, **params.files)
        for path, (name, image) in zip(made.tissue, maps.items(), strict=True):
            keep_image(path, image, like=grid, **said, parameters={"tissue": name})
    for path in made.ventricles:
        of_config = next(iter(given.ventricles), None)
        mask = atlas_ventricles(grid, of_config)
        facts = {**said, "parameters": {"given": bool(of_config)}}
        keep_image(path, mask, like=grid, dtype=np.uint8, **facts)
