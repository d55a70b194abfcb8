import numpy as np

from gliaflow.evaluate.lesionwise import lesion_preset
from gliaflow.evaluate.session import SESSION_TABLES, InAtlas, OwnGrid, rounded, score_session
from gliaflow.images import data_of, read_image, spacing_of
from gliaflow.job import job
from gliaflow.preprocess.resample import read_labels
from gliaflow.sidecar import read_json
from gliaflow.tables import write_table
from gliaflow.uncertainty.counts import write_counts

with job(snakemake.log[0], snakemake.params.name):
    params, given = snakemake.params, snakemake.input
    settings = params.settings
    found, masks = [list(map(read_image, paths)) for paths in (given.found, given.masks)]
    truth = read_labels(given.label, found[0], params.values, params.cell)
    truths = [data_of(image, np.uint8) for image in (truth, read_image(given.reference))]
    own, atlas = [
        (labels, data_of(f, np.uint8), data_of(mask) > 0, spacing_of(mask))
        for labels, f, mask in zip(truths, found, masks, strict=True)
    ]
    maps = [data_of(read_image(path), np.uint8) for path in (given.probability, given.uncertainty)]
    scores = score_session(
        OwnGrid(*own),
        InAtlas(*atlas, *maps, read_json(given.calibrated)["Parameters"]["temperature"]),
        params.regions,
        lesions=lesion_preset(settings["lesionwise"]) if settings["lesionwise"] else None,
        sizes_ml=settings["sizes_ml"],
        margin_mm=settings["roi_margin_mm"],
        bins=settings["bins"],
    )
    names = {**dict(snakemake.wildcards.items()), "site": params.site}
    for path, (name, columns) in zip(snakemake.output.tables, SESSION_TABLES.items(), strict=False):
        named = names if "subject" in columns else {}
        write_table(path, [{**named, **rounded(row)} for row in getattr(scores, name)], columns)
    write_counts(snakemake.output.tables[-1], scores.counts)
