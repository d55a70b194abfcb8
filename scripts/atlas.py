import numpy as np

from gliaflow.job import job
from gliaflow.preprocess.atlas import load_atlas
from gliaflow.results import keep_image

with job(snakemake.log[0], snakemake.params.name):
    path = snakemake.input[0] if snakemake.input else None
    brain, mask = load_atlas(path, snakemake.params.resolution)
    facts = {
        "sources": ["atlas.path of the config" if path else "MNI152 as bundled with nilearn"],
        "space": snakemake.params.space,
        "parameters": {} if path else {"resolution_mm": snakemake.params.resolution},
        "software": ["nilearn"],
    }
    keep_image(snakemake.output.brain, brain, **facts)
    keep_image(snakemake.output.mask, mask, like=brain, dtype=np.uint8, **facts)
