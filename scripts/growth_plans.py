import numpy as np

from gliaflow.growth.margins import model_plan, plan_core, plan_region, standard_plan
from gliaflow.growth.session import write_map
from gliaflow.images import data_of, read_image, spacing_of
from gliaflow.job import job

SOFTWARE = ["scikit-fmm", "scipy"]

with job(snakemake.log[0], snakemake.params.name):
    params, given, made = snakemake.params, snakemake.input, snakemake.output
    mask = read_image(given.mask)
    core = plan_core(data_of(read_image(given.labels), np.uint8))
    within = plan_region(data_of(mask) > 0, core, data_of(read_image(given.csf)) > 0.5)
    plans = [standard_plan(core, within, spacing_of(mask), mm) for mm in params.margins_mm]
    for path, plan, mm in zip(made.standard, plans, params.margins_mm, strict=True):
        facts = {"sources": [given.labels], "parameters": {"margin_mm": mm}, "software": SOFTWARE}
        write_map(path, plan, mask, dtype=np.uint8, **facts)
    model = model_plan(
        data_of(read_image(given.invasion)), np.count_nonzero(plans[0]), within, core, spacing_of(mask)
    )
    write_map(
        made.model,
        model.mask,
        mask,
        sources=[given.invasion, given.labels],
        parameters={"volume_as_margin_mm": params.margins_mm[0]},
        dtype=np.uint8,
        software=SOFTWARE,
        NeverInvadedVoxels=model.never_invaded_voxels,
        TiedVoxels=model.tied_voxels,
    )
