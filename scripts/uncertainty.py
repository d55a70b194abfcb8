import numpy as np

from gliaflow.fuse.sources import open_sources
from gliaflow.images import read_image, write_image
from gliaflow.job import job
from gliaflow.sidecar import write_json, write_sidecar
from gliaflow.uncertainty.names import LARGEST
from gliaflow.uncertainty.session import measure_uncertainty, numbers_record

with job(snakemake.log[0], snakemake.params.name):
    params, given = snakemake.params, snakemake.input
    mask = read_image(given.mask)
    found = measure_uncertainty(open_sources(given.members, params.sources, mask), params.regions, mask)
    for path, (name, largest) in zip(snakemake.output.maps, LARGEST.items(), strict=True):
        write_image(path, found.maps[name], mask.affine, np.uint8)
        write_sidecar(
            path,
            sources=list(given.members),
            space=params.space,
            parameters={"quantity": name},
            software=["scipy"],
            Regions=params.regions,
            Members=found.members,
            Scale=f"uint8 0..255 for 0..{largest:g}",
        )
    write_json(snakemake.output.numbers, numbers_record(found))
