from gliaflow.export.dicom_seg import Owner
from gliaflow.export.session import Place, content_of, export_dicom_seg, read_series
from gliaflow.job import job

with job(snakemake.log[0], snakemake.params.name):
    params, given, names = snakemake.params, snakemake.input, snakemake.wildcards
    source = read_series(
        params.scan, given.get("selection"), names.sequence, params.settings, snakemake.resources.tmpdir
    )
    export_dicom_seg(
        snakemake.output.image,
        given.image,
        Place(
            source=source,
            native=given.native,
            to_ref=given.to_ref,
            identifiers=params.identifiers,
            owner=Owner(names.subject, names.session),
            name=params.name,
        ),
        content_of(given.get("said"), names.get("plan")),
        sources=[params.cell, given.image, given.to_ref],
        space=names.sequence,
    )
