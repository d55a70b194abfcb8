from gliaflow.job import job
from gliaflow.provenance.description import describe_dataset
from gliaflow.sidecar import write_json

with job(snakemake.log[0], snakemake.params.name):
    write_json(snakemake.output[0], describe_dataset(snakemake.wildcards.cohort, snakemake.params.facts))
