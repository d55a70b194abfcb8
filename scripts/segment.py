from pathlib import Path

from gliaflow.job import job
from gliaflow.segment.run import Task, segment_session
from gliaflow.segment.segmenters import entry_of, load_segmenter

with job(snakemake.log[0], snakemake.params.name):
    params, given = snakemake.params, snakemake.input
    entry = entry_of(params.entry, given.model)
    segment_session(
        load_segmenter(params.entry["kind"], entry, params.settings, snakemake.threads),
        Task(params.name, dict(zip(params.inputs, given.images, strict=True)), given.mask),
        Path(snakemake.output.members),
        entry=entry,
        space=params.space,
        settings=params.settings,
    )
