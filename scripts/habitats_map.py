from pathlib import Path

from gliaflow.habitats.steps import write_map
from gliaflow.job import job

with job(snakemake.log[0], snakemake.params.name):
    given, made, params = snakemake.input, snakemake.output, snakemake.params
    write_map(
        dict(zip(params.maps, map(Path, given.maps), strict=True)),
        Path(given.labels),
        Path(given.model),
        dict(snakemake.wildcards.items()),
        image=Path(made.image),
        table=Path(made.table),
        sources=params.sources,
        space=params.space,
    )
