from gliaflow.export.bids import write_bidsignore, write_lookup, write_readme
from gliaflow.job import job
from gliaflow.provenance.description import describe_dataset
from gliaflow.sidecar import write_json

with job(snakemake.log[0], snakemake.params.name):
    cohort, made = snakemake.wildcards.cohort, snakemake.output
    write_json(made.description, describe_dataset(cohort, snakemake.params.facts))
    write_bidsignore(made.ignored)
    write_readme(made.readme, cohort)
    write_lookup(made.labels)
