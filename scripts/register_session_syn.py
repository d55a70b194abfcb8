from gliaflow.images import read_image, write_nifti
from gliaflow.job import job
from gliaflow.preprocess.register import register_syn
from gliaflow.preprocess.resample import apply_mask
from gliaflow.preprocess.transforms import read_transform
from gliaflow.sidecar import write_sidecar


def brain_of(role):
    return apply_mask(read_image(snakemake.input[role]), read_image(snakemake.input[f"{role}_mask"]))


with job(snakemake.log[0], snakemake.params.name):
    field = register_syn(
        brain_of("fixed"),
        brain_of("moving"),
        read_transform(snakemake.input.start),
        fixed_tumour=read_image(snakemake.input.fixed_labels),
        moving_tumour=read_image(snakemake.input.moving_labels),
        seed=snakemake.params.seed,
    )
    write_nifti(snakemake.output.field, field)
    write_sidecar(
        snakemake.output.field,
        sources=[snakemake.input.moving, snakemake.input.fixed, snakemake.input.start],
        space="first",
        parameters={"kind": "SyN", "seed": snakemake.params.seed},
        software=["antspyx"],
        Meaning="displacement in mm (LPS), applied before the rigid transform of the same name",
    )
