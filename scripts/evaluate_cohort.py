from pathlib import Path

from gliaflow.evaluate.cohort_files import CohortInputs, write_cohort_evaluation
from gliaflow.job import job

with job(snakemake.log[0], snakemake.params.name):
    params, given = snakemake.params, snakemake.input
    write_cohort_evaluation(
        CohortInputs(
            *[
                tuple(map(Path, paths))
                for paths in (
                    given.evaluation,
                    given.detection,
                    given.curves,
                    given.counts,
                    given.uncertainty,
                )
            ]
        ),
        tables=list(map(Path, snakemake.output.tables)),
        pictures=list(map(Path, snakemake.output.pictures)),
        bins=params.settings["bins"],
        resamples=params.settings["resamples"],
        seed=params.seed,
        dpi=params.dpi,
    )
