from gliaflow.fuse.sources import FuseSettings, combine, open_sources, sources_record, temperatures
from gliaflow.images import read_image, write_image
from gliaflow.job import job
from gliaflow.segment.segmenters import quantise
from gliaflow.sidecar import write_sidecar
from gliaflow.uncertainty.temperature import apply_temperature

with job(snakemake.log[0], snakemake.params.name):
    params, mask, made = snakemake.params, read_image(snakemake.input.mask), snakemake.output
    sources = open_sources(snakemake.input.members, params.sources, mask)
    combined = combine(sources, params.regions, FuseSettings(**params.settings), mask)
    levels, scaling = quantise(combined.probability), temperatures(sources, params.regions)
    facts = {"Regions": params.regions, **params.facts, **sources_record(sources), **combined.record}
    for path, values in (
        (made.probability, levels),
        (made.calibrated, apply_temperature(levels, list(scaling.values()))),
    ):
        write_image(path, values, mask.affine, "uint8")
        write_sidecar(
            path,
            sources=list(snakemake.input.members),
            space=params.space,
            parameters=params.settings | ({"temperature": scaling} if path == made.calibrated else {}),
            software=["scipy"],
            **facts,
            Scale="uint8 0..255 for 0..1",
        )
