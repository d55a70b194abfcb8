import json
from pathlib import Path
from tempfile import TemporaryDirectory

from gliaflow.convert.source import convert_source
from gliaflow.job import job
from gliaflow.results import keep_image

with job(snakemake.log[0], snakemake.params.name), TemporaryDirectory(dir=snakemake.resources.tmpdir) as work:
    selection = snakemake.input.get("selection")
    converted = convert_source(
        Path(snakemake.params.scan),
        key=json.loads(Path(selection).read_text())[snakemake.wildcards.sequence] if selection else None,
        settings=snakemake.params.settings,
        work=Path(work),
    )
    keep_image(
        snakemake.output.image,
        converted.image,
        sources=[snakemake.params.cell],
        space=snakemake.wildcards.sequence,
        parameters=snakemake.params.settings,
        software=["nipype", "nibabel"],
        Acquisition=converted.sidecar,
        Notes=list(converted.notes),
    )
