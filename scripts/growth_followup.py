import numpy as np

from gliaflow.growth.followup import NUMBERS, FollowUpSettings, Scan, check_follow_up, register_follow_up
from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.preprocess.resample import apply_mask, read_labels
from gliaflow.report.growth import draw_follow_up
from gliaflow.results import keep_image
from gliaflow.sidecar import write_json

with job(snakemake.log[0], snakemake.params.name):
    params, given, made = snakemake.params, snakemake.input, snakemake.output
    labels = read_labels(given.labels, read_image(given.grid), params.values, params.cell)
    baseline = Scan(*map(read_image, (given.baseline, given.baseline_mask, given.baseline_labels)))
    mask = read_image(given.mask)
    later = Scan(apply_mask(read_image(given.image), mask), mask, labels)
    found = register_follow_up(baseline, later, seed=params.seed)
    numbers = {name: round(getattr(found.numbers, name), 4) for name in NUMBERS}
    reasons = check_follow_up(found.numbers, FollowUpSettings())
    keep_image(
        made.labels,
        found.labels,
        like=baseline.brain,
        dtype=np.uint8,
        constant_ok=True,
        sources=[params.cell, given.image, given.baseline],
        space="growth grid of the first session",
        parameters={"kind": "SyN", "seed": params.seed},
        software=["antspyx"],
    )
    write_json(made.report, {**numbers, "to_be_looked_at": list(reasons), "meaning": NUMBERS})
    draw_follow_up(
        baseline.image,
        found.image,
        {"baseline": baseline.brain, "later": found.brain},
        {"baseline": baseline.labels, "later": found.labels},
        made.picture,
        title=params.name,
        notes=[f"To be looked at: {reason}" for reason in reasons],
        dpi=params.dpi,
    )
