from pathlib import Path

from gliaflow.job import job
from gliaflow.train.plan import preprocess_dataset

if __name__ == "__main__":  # nnU-Net's workers import this file again
    with job(snakemake.log[0], snakemake.params.name):
        plan, target = Path(snakemake.input.plans[0]).parent, Path(snakemake.output[0])
        preprocess_dataset(Path(snakemake.input.raw), plan, target / plan.name, threads=snakemake.threads)
