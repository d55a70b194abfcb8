import numpy as np

from gliaflow.growth.fits import tried_settings
from gliaflow.growth.judge import EXPERIMENT_ROW_COLUMNS, FollowedCourse
from gliaflow.growth.kernels import use_threads
from gliaflow.growth.session import read_tissue
from gliaflow.images import data_of, read_image
from gliaflow.job import job
from gliaflow.tables import NAME_COLUMNS, write_table

with job(snakemake.log[0], snakemake.params.name):
    params, given = snakemake.params, snakemake.input
    use_threads(snakemake.threads)
    tissue = read_tissue(given.tissue, given.diffusion, read_image(given.mask))
    paths = (given.start, given.restart, given.labels)
    course = FollowedCourse(tissue, *(data_of(read_image(path), np.uint8) for path in paths))
    rows = tried_settings(course, params.tried, params.rho, restarts=params.restarts, seed=params.seed)
    names = dict(snakemake.wildcards.items())
    write_table(
        snakemake.output.table, [{**names, **row} for row in rows], NAME_COLUMNS | EXPERIMENT_ROW_COLUMNS
    )
