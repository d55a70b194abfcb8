import numpy as np

from gliaflow.growth.coverage import COVERAGE_COLUMNS, coverage_rows
from gliaflow.growth.experiment import BIDIRECTIONAL
from gliaflow.growth.fits import judged_predictions, read_fit
from gliaflow.growth.judge import JUDGED_COLUMNS, Course
from gliaflow.growth.ranking import (
    CURVE_COLUMNS,
    curve_rows,
    local_agreement,
    precision_recall,
    ranking_row,
    score_ranking,
)
from gliaflow.growth.session import read_tissue, write_map
from gliaflow.images import data_of, read_image, spacing_of
from gliaflow.job import job
from gliaflow.labels import region_mask
from gliaflow.tables import NAME_COLUMNS, write_table

with job(snakemake.log[0], snakemake.params.name):
    params, given, made = snakemake.params, snakemake.input, snakemake.output
    mask = read_image(given.mask[0])
    first, restart, later = (
        data_of(read_image(path), np.uint8) for path in (given.first[0], given.restart, given.labels)
    )
    tissue = read_tissue(given.tissue, given.diffusion, mask)
    course = Course(tissue, first, restart, later)
    fitted = read_fit(given.fit[0])
    maps = judged_predictions(course, data_of(read_image(given.invasion[0])), fitted)
    reference = region_mask(later, "WT")
    names = dict(snakemake.wildcards.items())
    rows, curves = [], []
    for scheme, times in maps.items():
        region = course.region(scheme)
        found = score_ranking(times, reference, region)
        rows.append({**names, "scheme": scheme, **ranking_row(found)})
        if found.reason is None:
            points = curve_rows(precision_recall(times, reference, region))
            curves += [{**names, "scheme": scheme, **row} for row in points]
    plans = {
        name: data_of(read_image(path)) > 0 for name, path in zip(params.plans, given.plans, strict=True)
    }
    covered = coverage_rows(plans, later, spacing_of(mask))
    scheme = JUDGED_COLUMNS["scheme"]
    write_table(made.tables[0], rows, NAME_COLUMNS | JUDGED_COLUMNS)
    write_table(made.tables[1], curves, {**NAME_COLUMNS, "scheme": scheme, **CURVE_COLUMNS})
    write_table(made.tables[2], [{**names, **row} for row in covered], NAME_COLUMNS | COVERAGE_COLUMNS)
    region = course.region(BIDIRECTIONAL)
    there = (reference & region).any()
    write_map(
        made.agreement,
        local_agreement(maps[BIDIRECTIONAL], reference, region) if there else np.zeros(region.shape),
        mask,
        sources=[given.invasion[0], given.labels],
        parameters={"scheme": BIDIRECTIONAL},
        space="growth grid of the first session",
        Meaning="inside the later tumour the precision at the voxel's time, outside the recall (S8)",
    )
