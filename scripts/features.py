from pathlib import Path

import numpy as np

from gliaflow.evaluate.session import rounded
from gliaflow.features.atlas import read_atlas_maps
from gliaflow.features.columns import feature_columns
from gliaflow.features.session import (
    FeatureSettings,
    Segmented,
    changes,
    growth_features,
    session_features,
    uncertainty_features,
)
from gliaflow.images import data_of, read_image, spacing_of, to_ras
from gliaflow.job import job
from gliaflow.sidecar import read_json
from gliaflow.tables import read_rows, write_table

with job(snakemake.log[0], snakemake.params.name):
    params, given, made = snakemake.params, snakemake.input, snakemake.output
    atlas = read_atlas_maps(given.brain, given.tissue, given.ventricles, given.lobes)
    own, in_atlas = (to_ras(read_image(path)) for path in given.labels)
    row = {**dict(snakemake.wildcards.items()), "days": params.days}
    row |= session_features(
        Segmented(data_of(own, np.uint8), spacing_of(own), params.regions),
        data_of(in_atlas, np.uint8),
        {s: data_of(read_image(path)) for s, path in zip(params.sequences, given.images, strict=True)},
        atlas,
        FeatureSettings(**params.settings),
    )
    row |= changes(row, read_rows(map(Path, given.earlier)))
    (unsure,) = read_rows([Path(given.uncertainty)])
    row |= uncertainty_features(unsure)
    row |= growth_features(read_json(given.growth[0]) if given.growth else None)
    write_table(made.table, [rounded(row)], feature_columns(atlas.lobe_names.values()))
