import numpy as np

from gliaflow.fuse.edited import edit_record, edited_labels, keep_edited
from gliaflow.fuse.volumes import VOLUME_COLUMNS, measure
from gliaflow.images import data_of, ml_per_voxel, read_image, spacing_of
from gliaflow.job import job
from gliaflow.preprocess.resample import resample_labels
from gliaflow.preprocess.transforms import read_transform
from gliaflow.sidecar import read_json
from gliaflow.tables import write_table

with job(snakemake.log[0], snakemake.params.name):
    params, given, made = snakemake.params, snakemake.input, snakemake.output
    in_atlas, in_ref = map(read_image, given.masks)
    automatic, facts = read_image(given.automatic), [read_json(path) for path in given.facts]
    regions = facts[1]["Regions"]
    labels, moved = edited_labels(given.edited, automatic, regions, params.cell)
    review = {**params.review, **edit_record(given.edited, labels, automatic)}
    how = "nearest neighbour" if moved else "none"
    sources = [params.cell, given.automatic]
    keep_edited(
        made.ref, labels, in_ref, facts[1], sources=sources, space="ref", resampling=how, review=review
    )
    keep_edited(
        made.atlas,
        resample_labels(labels, in_atlas, read_transform(given.to_atlas)),
        in_atlas,
        facts[0],
        sources=[*sources, given.to_atlas],
        space=params.space,
        resampling="largest share",
        review=review,
    )
    row = {**dict(snakemake.wildcards.items()), "model": facts[1]["Model"]}
    row |= measure(data_of(labels, np.uint8), ml_per_voxel(spacing_of(in_ref)), regions)
    write_table(made.volumes, [row], VOLUME_COLUMNS)
