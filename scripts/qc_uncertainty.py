from pathlib import Path

from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.report.uncertainty import draw_uncertainty
from gliaflow.tables import read_rows

with job(snakemake.log[0], snakemake.params.name):
    params, given = snakemake.params, snakemake.input
    (row,) = read_rows([Path(given.table)])
    draw_uncertainty(
        dict(zip(params.sequences, map(read_image, given.images), strict=True)),
        read_image(given.uncertainty),
        read_image(given.labels),
        read_image(given.mask),
        snakemake.output[0],
        regions=params.regions,
        title=f"{params.name}, model {params.facts['Model']}",
        reasons=row["review_reasons"].split("; ") if row["review_reasons"] else [],
        dpi=params.dpi,
    )
