import numpy as np

from gliaflow.images import data_of, read_image, spacing_of, write_image
from gliaflow.job import job
from gliaflow.preprocess.transforms import read_transform
from gliaflow.sidecar import read_json, write_sidecar
from gliaflow.tables import NAME_COLUMNS, write_table
from gliaflow.uncertainty.flags import REVIEW_COLUMNS, flag_settings, review, review_row
from gliaflow.uncertainty.names import LARGEST
from gliaflow.uncertainty.numbers import NUMBER_COLUMNS, labelled_numbers, number_row
from gliaflow.uncertainty.session import (
    combined_map,
    entropy_bits,
    on_other_grid,
    read_numbers,
)

with job(snakemake.log[0], snakemake.params.name):
    params, given, made = snakemake.params, snakemake.input, snakemake.output
    settings = params.settings
    mask, in_ref = map(read_image, given.masks)
    members, of_members = read_numbers(read_json(given.numbers))
    maps = {n: data_of(read_image(path), np.uint8) for n, path in zip(LARGEST, given.maps, strict=True)}
    combined = combined_map(maps, settings["map"], members)
    moved = on_other_grid(combined, mask.affine, in_ref, np.linalg.inv(read_transform(given.to_atlas)))
    places = ((made.combined, combined, mask, params.space), (made.ref, moved, in_ref, "ref"))
    for path, values, grid, space in places:
        write_image(path, values, grid.affine, np.uint8)
        write_sidecar(
            path,
            sources=list(given.maps),
            space=space,
            parameters={"map": settings["map"]},
            software=["SimpleITK"],
            Regions=list(of_members),
            Members=members,
            Scale="0 certain to 100 uncertain",
        )
    numbers = labelled_numbers(
        of_members,
        entropy_bits(maps["entropy"]),
        data_of(read_image(given.labels), np.uint8),
        data_of(mask) > 0,
        spacing_of(mask),
        shell_mm=settings["shell_mm"],
        share=settings["component_share"],
    )
    row = dict(snakemake.wildcards.items()) | number_row(members, numbers)
    row |= review_row(review(numbers, flag_settings(settings["review"])))
    write_table(made.table, [row], NAME_COLUMNS | NUMBER_COLUMNS | REVIEW_COLUMNS)
