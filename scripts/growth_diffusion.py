from gliaflow.growth.dwi import patient_diffusion, read_dwi, register_dwi
from gliaflow.growth.session import write_map
from gliaflow.growth.tensors import atlas_diffusion
from gliaflow.growth.warp import Warp
from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.preprocess.transforms import read_transform

with job(snakemake.log[0], snakemake.params.name):
    params, given, made = snakemake.params, snakemake.input, snakemake.output
    mask = read_image(given.mask)
    if params.measured:
        scan = read_dwi(given.source[0])
        moved = register_dwi(scan, read_image(given.image), seed=params.seed)
        found = patient_diffusion(scan, moved.matrix, mask)
    else:
        warp = Warp(read_transform(given.warp[0]), read_image(given.warp[1]))
        found = atlas_diffusion(given.source[0], mask, warp)
    for path, values in zip(made.maps, (found.tensor, found.anisotropy), strict=True):
        write_map(
            path,
            values,
            mask,
            sources=[params.cell if params.measured else "growth.tissue.tensor"],
            parameters={"seed": params.seed},
            software=["dipy"],
            Parts="xx, xy, xz, yy, yz, zz along the axes of the grid; trace 1",
        )
