"""The page of a session: everything that a person needs to trust its results, or not to."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from gliaflow import __version__
from gliaflow.images import write_bytes
from gliaflow.report import session_tables as tables
from gliaflow.report.before import draw_before_and_after
from gliaflow.report.canvas import BASE_DPI
from gliaflow.report.course import plot_course
from gliaflow.report.layers import as_text
from gliaflow.report.methods import describe_methods
from gliaflow.report.page import render
from gliaflow.report.session_files import SessionFiles
from gliaflow.report.session_tables import RANO_DEFAULTS, Table
from gliaflow.report.viewer import make_viewer
from gliaflow.tables import read_rows

NIIVUE = Path(__file__).parents[2] / "resources" / "report" / "niivue" / "niivue.umd.js"
MOST_BYTES = 15_000_000
"""What a page may take."""
TEXT_BYTES = 500_000
"""Left for everything but viewer and pictures."""
WIDEST = 1600
"""Pixels; wider pictures are made smaller on the page."""
PICTURES: Mapping[str, tuple[str, str]] = {
    "segmentation": (
        "Segmentation",
        "Axial, coronal and sagittal planes through the largest lesion, bare and with the label map: "
        "necrotic core blue, oedema yellow, enhancing tumour vermilion, resection cavity grey.",
    ),
    "uncertainty": (
        "Uncertainty",
        "Planes through the largest lesion with the uncertainty of each region in three steps from yellow "
        "over orange to vermilion, and the outline of the region.",
    ),
    "rano": (
        "Bidimensional diameters",
        "Axial slices of the largest lesions with their longest diameter in yellow and the longest one at "
        "a right angle to it in orange.",
    ),
    "growth": (
        "Growth as foretold",
        "Planes through the largest lesion: the segmentation, how far the tumour is foretold to grow, the "
        "interval of that, and the plans.",
    ),
    "followup": (
        "Follow-up beside the first session",
        "Planes through the lesion in the first session and in this one, with the outlines of both.",
    ),
    "registration": (
        "Registration",
        "Every sequence and the atlas in three planes with contours of the reference, which should follow "
        "the anatomy.",
    ),
    "brainmask": (
        "Brain mask",
        "Every sequence in three planes on its own grid with the outline of the brain mask.",
    ),
}
"""By the name of a file in ``qc`` its title, and what a person sees on it who cannot see it."""
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Picture:
    """A picture of the page: its title, what it shows in words, and its file as a data URL."""

    title: str
    alt: str
    url: str
    width: int
    height: int


def write_session_page(
    files: SessionFiles,
    path: str | Path,
    *,
    expected: Iterable[str] = (),
    errors: Sequence[Mapping[str, str]] = (),
    earlier: Sequence[Path] = (),
    rano: Mapping[str, Any] | None = None,
    dpi: int = BASE_DPI,
    decisions: Sequence[str] = (),
) -> None:
    """Write the page of a session from what there is of it, finished or not.

    Parameters
    ----------
    files
        The session. What it lacks is left out of the page, and named there.
    path
        The page, one file that works offline, of 15 MB at most.
    expected
        The paths of the files that it has when it is finished, relative to ``files.root``.
    errors
        Its rows of `gliaflow.status.STATUS_COLUMNS` whose state is not ``done``; none where all went well.
    earlier
        The tables of features of the subject's earlier sessions, in their order.
    rano
        ``neighbours``, ``smallest_lesion_ml`` and ``measurable_mm`` of the config's section
        ``features``; None takes the defaults.
    dpi
        Pixels per inch of the pictures that are drawn for the page only.
    decisions
        What reviewers decided, in words.

    Examples
    --------
    The page of a session that failed, at the end of a run::

        own = [row for row in rows if row["subject"] == entry.subject and row["state"] != "done"]
        files = SessionFiles(entry.cohort, entry.subject, entry.session)
        write_session_page(files, page, expected=session_outputs(entry), errors=own)
    """
    script = NIIVUE.read_text(encoding="utf-8")
    pictures = _pictures(files)
    flip = _flip(files, dpi)
    taken = sum(len(picture.url) for picture in (*pictures.values(), *flip.values()))
    budget = MOST_BYTES - TEXT_BYTES - len(script.encode()) - taken
    course = [*read_rows(earlier), *files.rows("seg", "features.tsv")]
    review = files.row("seg", "uncertainty.tsv")
    page = render(
        "session.html",
        files=files,
        version=__version__,
        errors=errors,
        decisions=decisions,
        missing=sorted(one for one in expected if not (files.root / one).is_file()),
        review=review,
        reasons=reasons_of(review),
        model=files.document("seg", "space-ref_dseg.json"),
        viewer=make_viewer(files, budget),
        niivue=script,
        pictures=pictures,
        flip=flip,
        course=plot_course(course),
        methods=describe_methods(files),
        tables=_tables(files, course, {**RANO_DEFAULTS, **(rano or {})}),
    )
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, page.encode())


def reasons_of(review: Mapping[str, Any]) -> list[str]:
    """Return why a person should look at a session, from its table of uncertainty.

    >>> reasons_of({"review": 1, "review_reasons": "WT: members disagree; ET: too large"})
    ['WT: members disagree', 'ET: too large']
    """
    if not review.get("review"):
        return []
    return str(review.get("review_reasons") or "no reason is told").split("; ")


def _tables(files: SessionFiles, course: Rows, rano: Mapping[str, Any]) -> dict[str, list[Table]]:
    """Return the tables of each section."""
    return {
        "volumes": tables.volumes(files),
        "diameters": tables.diameters(files, rano),
        "changes": tables.changes(course),
        "growth": tables.grown(files),
        "predictions": tables.predicted(files),
        "conversion": tables.converted(files),
        "registration": tables.registered(files),
        "brain": tables.brain(files),
        "parameters": tables.parameters(files),
        "software": tables.software(files),
        "run_times": tables.run_times(files),
    }


def _pictures(files: SessionFiles) -> dict[str, Picture]:
    """Return the pictures that are there, those of growth only if they are of this segmentation."""
    paths = {name: files.path("qc", f"{name}.png") for name in PICTURES}
    there = {name: path for name, path in paths.items() if path.is_file()}
    return {
        name: read_picture(path, *PICTURES[name])
        for name, path in there.items()
        if name not in ("growth", "followup") or files.since_segmentation(path)
    }


def _flip(files: SessionFiles, dpi: int) -> dict[str, Picture]:
    """Draw the sequences before and after registration."""
    alt = "The registered sequences in three planes {} registration, with contours of the reference."
    with TemporaryDirectory() as folder:
        made = draw_before_and_after(files, Path(folder), dpi=dpi)
        return {
            state: read_picture(path, f"{state} registration", alt.format(state))
            for state, path in made.items()
        }


def read_picture(path: Path, title: str, alt: str) -> Picture:
    """Read a PNG for a page; one that is too wide is made smaller."""
    content = path.read_bytes()
    with Image.open(io.BytesIO(content)) as image:
        size = image.size
        if size[0] > WIDEST:
            size = (WIDEST, round(size[1] * WIDEST / size[0]))
            buffer = io.BytesIO()
            image.convert("RGB").resize(size, Image.Resampling.LANCZOS).save(buffer, "PNG", optimize=True)
            content = buffer.getvalue()
    return Picture(title, alt, f"data:image/png;base64,{as_text(content)}", *size)
