from pathlib import Path

from gliaflow.job import job
from gliaflow.train.fold import train_fold
from gliaflow.train.recipe import recipe_from

with job(snakemake.log[0], snakemake.params.name):
    # what does not change the result is no param: a finished fold is not trained again for it
    untracked = {key: snakemake.config["train"][key] for key in ("compile", "checkpoint_epochs")}
    train_fold(
        Path(snakemake.input.cases) / Path(snakemake.input.raw).name,
        Path(snakemake.params.work),
        Path(snakemake.output.checkpoint).parent,
        splits=Path(snakemake.input.raw) / "splits.json",
        fold=int(snakemake.wildcards.fold),
        loss=snakemake.wildcards.loss,
        recipe=recipe_from(snakemake.params.recipe | untracked, snakemake.params.seed),
        threads=snakemake.threads,
        start=Path(snakemake.input.start[0]) if snakemake.input.start else None,
    )
