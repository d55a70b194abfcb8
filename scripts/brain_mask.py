from pathlib import Path

from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.preprocess.brain_mask import BrainModel, BrainScans, find_brain
from gliaflow.preprocess.transforms import in_space_of, read_transform
from gliaflow.results import keep_mask

with job(snakemake.log[0], snakemake.params.name):
    inputs, params = snakemake.input, snakemake.params
    images = {
        sequence: in_space_of(read_image(image), read_transform(transform))
        for sequence, image, transform in zip(params.sequences, inputs.images, inputs.transforms, strict=True)
    }
    scans = BrainScans(
        images,
        images[params.reference],
        given=Path(inputs.given[0]) if inputs.given else None,
        weights=Path(inputs.weights[0]) if inputs.weights else None,
        model=BrainModel(**params.model) if params.model else None,
        threads=snakemake.threads,
    )
    found = find_brain(params.method, scans)
    keep_mask(
        snakemake.output.mask,
        found.mask,
        like=scans.reference,
        sources=[*inputs.images, *inputs.transforms, *params.given_cell],
        space="ref",
        parameters={"method": params.method},
        **found.facts,
    )
