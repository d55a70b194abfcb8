from pathlib import Path

from gliaflow.habitats.search import SearchSettings
from gliaflow.habitats.steps import write_fit
from gliaflow.job import job

with job(snakemake.log[0], "habitats"):
    given, made, params = snakemake.input, snakemake.output, snakemake.params
    people = [Path(path) for path in given.participants]
    write_fit(
        [Path(path) for path in given.samples],
        params.subjects,
        people[0] if people else None,
        SearchSettings(**params.settings),
        model=Path(made.model),
        trials=Path(made.tables[0]),
        stability=Path(made.tables[1]),
        maps=params.maps,
        **params.vectors,
    )
