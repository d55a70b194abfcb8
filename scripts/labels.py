import numpy as np

from gliaflow.fuse.postprocess import post_settings
from gliaflow.fuse.to_grid import keep_labels, labels_in_both
from gliaflow.fuse.volumes import VOLUME_COLUMNS, measure
from gliaflow.images import ml_per_voxel, read_image, spacing_of
from gliaflow.job import job
from gliaflow.preprocess.transforms import read_transform
from gliaflow.sidecar import read_json
from gliaflow.tables import write_table

with job(snakemake.log[0], snakemake.params.name):
    params, given, made = snakemake.params, snakemake.input, snakemake.output
    fused = read_json(given.fused)
    fused |= params.about
    settings = post_settings(fused.get("Postprocess", {}), *params.postprocess)
    in_atlas, in_ref = map(read_image, given.masks)
    results = labels_in_both(
        read_image(given.probability),
        in_ref,
        np.linalg.inv(read_transform(given.to_atlas)),
        regions=fused["Regions"],
        settings=settings,
    )
    sources = [given.probability, given.to_atlas]
    places = ((made.atlas, in_atlas, params.space), (made.ref, in_ref, "ref"))
    for (path, mask, space), result in zip(places, results, strict=True):
        keep_labels(path, result, mask, settings, fused, sources=sources, space=space)
    row = {**dict(snakemake.wildcards.items()), "model": fused["Model"]}
    row |= measure(results[1].labels, ml_per_voxel(spacing_of(in_ref)), fused["Regions"])
    write_table(made.volumes, [row], VOLUME_COLUMNS)
