from pathlib import Path

from gliaflow.job import job
from gliaflow.train.plan import plan_dataset
from gliaflow.train.recipe import recipe_from

if __name__ == "__main__":  # nnU-Net's workers import this file again
    with job(snakemake.log[0], snakemake.params.name):
        plan_dataset(
            Path(snakemake.input[0]),
            Path(snakemake.output[0]).parent,
            recipe=recipe_from(snakemake.params.recipe, snakemake.params.seed),
            threads=snakemake.threads,
        )
