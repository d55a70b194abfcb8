from pathlib import Path

from gliaflow.job import job
from gliaflow.train.export import Trained, export

with job(snakemake.log[0], snakemake.params.name):
    params, given, made = snakemake.params, snakemake.input, snakemake.output
    trained = Trained(
        preprocessed=Path(given.plans[0]).parent,
        fold_folder=params.fold,
        selection=Path(given.selection),
        postprocess=Path(given.postprocess),
        cross_validation=Path(given.table),
        missing=Path(given.missing),
        sessions=Path(given.sessions),
    )
    export(
        trained,
        Path(made.package),
        table=Path(made.table),
        card=Path(made.card),
        model=params.model,
        recipe={**params.recipe, "seed": params.seed, "inference": params.inference},
        atlas=params.atlas,
        n4=params.n4,
        others=Path(params.others),
        start=Path(given.start[0]) if given.start else None,
    )
