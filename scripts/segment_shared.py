from pathlib import Path

from gliaflow.job import job
from gliaflow.segment.run import Task, segment_sessions
from gliaflow.segment.segmenters import entry_of, load_segmenter

with job(snakemake.log[0], snakemake.params.name):
    params = snakemake.params
    entry = entry_of(params.entry, snakemake.input.model)
    segment_sessions(
        load_segmenter(params.entry["kind"], entry, params.settings, snakemake.threads),
        [Task(task["name"], task["images"], task["mask"]) for task in params.tasks],
        Path(snakemake.output.members),
        entry=entry,
        space=params.space,
        settings=params.settings,
    )
