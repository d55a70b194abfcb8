from gliaflow.growth.session import write_map
from gliaflow.growth.tissue_atlas import load_tissue_atlas
from gliaflow.growth.tissue_maps import check_tissue
from gliaflow.growth.tissue_sources import estimate_tissue
from gliaflow.images import data_of, new_image, read_image, write_nifti
from gliaflow.job import job
from gliaflow.preprocess.transforms import write_transform

with job(snakemake.log[0], snakemake.params.name):
    params, given, made = snakemake.params, snakemake.input, snakemake.output
    mask, labels = read_image(given.mask), read_image(given.labels)
    found = estimate_tissue(
        params.method,
        load_tissue_atlas(**params.files),
        list(map(read_image, given.images)),
        mask,
        new_image(data_of(labels) > 0, labels.affine),
        seed=params.seed,
    )
    shares = check_tissue(found.maps, data_of(mask) > 0)
    for path, name in zip(made.maps, ("white", "grey", "csf"), strict=True):
        write_map(
            path,
            getattr(found.maps, name),
            mask,
            sources=[*given.images, given.labels],
            parameters={"method": params.method, "seed": params.seed},
            software=["antspyx", "nilearn"],
            Shares=shares,
            **found.facts,
        )
    write_transform(made.warp[0], found.warp.matrix)
    write_nifti(made.warp[1], found.warp.displacement)
