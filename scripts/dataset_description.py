import gliaflow
from gliaflow.job import job
from gliaflow.sidecar import write_json

with job(snakemake.log[0], snakemake.params.name):
    write_json(
        snakemake.output[0],
        {
            "Name": snakemake.wildcards.cohort,
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "gliaflow", "Version": gliaflow.__version__}],
        },
    )
