from pathlib import Path

import numpy as np

from gliaflow.images import read_image
from gliaflow.job import job
from gliaflow.marker.graph import atlas_graph, write_graph
from gliaflow.results import keep_image

with job(snakemake.log[0], "atlas"):
    params, given, made = snakemake.params, snakemake.input, snakemake.output
    regions, connections = (next(map(Path, files), None) for files in (given.regions, given.connections))
    brain = read_image(given.brain)
    graph, labels = atlas_graph(brain, regions, connections)
    facts = {"given": bool(regions), "regions": len(graph.nodes), "edges": len(graph.edges)}
    keep_image(
        made.regions,
        labels,
        like=labels,
        dtype=np.uint16,
        sources=[given.brain],
        space=params.space,
        software=["scikit-learn"],
        parameters=facts,
    )
    write_graph(Path(made.graph), graph)
