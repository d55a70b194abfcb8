import csv
from pathlib import Path

from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.report.uncertainty import draw_uncertainty

with job(snakemake.log[0], snakemake.params.name):
    params, given = snakemake.params, snakemake.input
    with Path(given.table).open(encoding="utf-8") as stream:
        reasons = next(csv.DictReader(stream, delimiter="\t"))["review_reasons"]
    draw_uncertainty(
        dict(zip(params.sequences, map(read_image, given.images), strict=True)),
        read_image(given.uncertainty),
        read_image(given.labels),
        read_image(given.mask),
        snakemake.output[0],
        regions=params.regions,
        title=f"{params.name}, model {params.facts['Model']}",
        reasons=[reason for reason in reasons.split("; ") if reason],
        dpi=params.dpi,
    )
