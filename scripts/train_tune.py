from gliaflow.job import job
from gliaflow.sidecar import write_json
from gliaflow.train.dataset import case_of
from gliaflow.train.tuning import tuning_record

with job(snakemake.log[0], snakemake.params.name):
    params = snakemake.params
    record = tuning_record(
        [case_of(case) for case in params.cases],
        snakemake.input.selection,
        params.out_of_fold,
        regions=params.regions,
        rule=params.rule,
        trials=params.trials,
        seed=params.seed,
    )
    write_json(snakemake.output[0], record)
