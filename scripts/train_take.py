from pathlib import Path

from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.train.heads import labelled_head, take_heads
from gliaflow.train.take import ready_session, take_sessions

with job(snakemake.log[0], snakemake.params.name):
    params, folder = snakemake.params, Path(snakemake.output[0])
    if params.target == "brain":
        heads = [labelled_head(values) for values in params.tasks]
        take_heads(heads, folder, params.spacing_mm, threads=snakemake.threads)
    else:
        sessions = [ready_session(values) for values in params.tasks]
        take_sessions(sessions, folder, read_image(snakemake.input.atlas[0]), threads=snakemake.threads)
