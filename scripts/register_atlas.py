from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.preprocess.keep_registration import keep_registration, register_or_keep
from gliaflow.preprocess.resample import apply_mask
from gliaflow.preprocess.transforms import read_transform, write_transform
from gliaflow.sidecar import write_json

with job(snakemake.log[0], snakemake.params.name):
    if "to_first" in snakemake.input.keys():  # noqa: SIM118
        parts = [snakemake.input.first_to_atlas, snakemake.input.to_first]
        write_transform(snakemake.output.transform, read_transform(parts[1]) @ read_transform(parts[0]))
        write_json(snakemake.output.report, {"ComposedOf": parts[::-1]})
    else:
        settings = {"kind": snakemake.params.kind, "seed": snakemake.params.seed}
        brain = apply_mask(read_image(snakemake.input.image), read_image(snakemake.input.mask))
        result = register_or_keep(
            read_image(snakemake.input.atlas),
            brain,
            **settings,
            same_space="the sheet or config says that the scans are on the atlas grid (registered = atlas)",
        )
        keep_registration(
            snakemake.output.transform, snakemake.output.report, result, settings, snakemake.params.name
        )
