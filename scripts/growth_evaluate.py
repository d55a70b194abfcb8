from pathlib import Path

import numpy as np

from gliaflow.growth.coverage import COVERAGE_COLUMNS, coverage_rows
from gliaflow.growth.experiment import BIDIRECTIONAL
from gliaflow.growth.fits import judged_predictions, read_fit
from gliaflow.growth.judge import JUDGED_COLUMNS, FollowedCourse
from gliaflow.growth.kernels import use_threads
from gliaflow.growth.plots import draw_precision_recall
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
    use_threads(snakemake.threads)
    mask = read_image(given.mask)
    labels = [data_of(read_image(path), np.uint8) for path in (given.first, given.restart, given.labels)]
    course = FollowedCourse(read_tissue(given.tissue, given.diffusion, mask), *labels)
    maps = judged_predictions(course, data_of(read_image(given.invasion)), read_fit(given.fit))
    reference = region_mask(course.later, "WT")
    names = dict(snakemake.wildcards.items())
    rows, curves = [], {}
    for scheme, times in maps.items():
        region = course.region(scheme)
        found = score_ranking(times, reference, region)
        rows.append({**names, "scheme": scheme, **ranking_row(found)})
        if found.reason is None:
            curves[scheme] = precision_recall(times, reference, region)
    points = [{**names, "scheme": s, **row} for s, curve in curves.items() for row in curve_rows(curve)]
    plans = [data_of(read_image(path)) > 0 for path in given.plans]
    covered = coverage_rows(dict(zip(params.plans, plans, strict=True)), course.later, spacing_of(mask))
    write_table(made.tables[0], rows, NAME_COLUMNS | JUDGED_COLUMNS)
    write_table(made.tables[1], points, {**NAME_COLUMNS, "scheme": JUDGED_COLUMNS["scheme"], **CURVE_COLUMNS})
    write_table(made.tables[2], [{**names, **row} for row in covered], NAME_COLUMNS | COVERAGE_COLUMNS)
    draw_precision_recall(Path(made.picture), curves)
    agreement = np.zeros(reference.shape)
    if BIDIRECTIONAL in curves:
        agreement = local_agreement(maps[BIDIRECTIONAL], reference, course.region(BIDIRECTIONAL))
    write_map(
        made.agreement,
        agreement,
        mask,
        sources=[given.invasion, given.labels],
        parameters={"scheme": BIDIRECTIONAL},
        space="growth grid of the first session",
        Meaning="inside the later tumour the precision at the voxel's time, outside the recall (S8)",
    )
