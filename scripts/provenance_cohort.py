from pathlib import Path

from gliaflow.job import job
from gliaflow.provenance.cohort import tell_provenance
from gliaflow.sidecar import write_json

with job(snakemake.log[0], snakemake.params.name):
    told = tell_provenance(
        snakemake.wildcards.cohort,
        Path(),
        Path(snakemake.params.kept),
        snakemake.params.names,
        besides=snakemake.output[0],
    )
    write_json(snakemake.output[0], told)
