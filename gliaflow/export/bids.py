"""What makes a folder of results a BIDS derivative that the validator accepts, beside its description."""

from pathlib import Path

from gliaflow.images import write_bytes
from gliaflow.labels import label_table

IGNORED = (
    *("*_t1n.*", "*_t1c.*", "*_t2w.*", "*_t2f.*", "*_xfm.*", "*_series.*"),
    *("**/seg", "**/growth", "**/qc", "**/export", "members"),
    *("labels_*", "status.*", "features*", "evaluation*", "predictions*", "habitats*", "growth_*"),
    *("provenance.json", "review*", "index.html"),
)
"""What BIDS has no name for: sequences named as in BraTS, transforms, folders, tables, pages."""
README = """\
{cohort}: results of gliaflow, a workflow for brain-tumour MRI.

The files follow BIDS derivatives; docs/outputs.md of the workflow tells what is in them. .bidsignore
lists those that BIDS has no name for. dataset_description.json says by what all were made, dseg.tsv
what the values of label maps mean.
"""


def write_bidsignore(path: str | Path) -> None:
    """Write ``.bidsignore``."""
    write_bytes(path, "".join(f"{pattern}\n" for pattern in IGNORED).encode())


def write_readme(path: str | Path, cohort: str) -> None:
    """Write the ``README`` of a cohort."""
    write_bytes(path, README.format(cohort=cohort).encode())


def write_lookup(path: str | Path) -> None:
    """Write ``dseg.tsv``: index, name and colour of every label, as BIDS has it."""
    rows = [f"{label.value}\t{label.name}\t{label.colour}\n" for label in label_table()]
    write_bytes(path, "".join(["index\tname\tcolor\n", "0\tbackground\t#000000\n", *rows]).encode())
