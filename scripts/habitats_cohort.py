from gliaflow.features.cohort import gather
from gliaflow.job import job

with job(snakemake.log[0], snakemake.params.name):
    gather(snakemake.input, snakemake.output.table)
