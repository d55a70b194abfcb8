"""Small labelled cohorts to train on: skull-stripped brains with tumours on the atlas's grid.

A folder gets samples.tsv, participants.tsv, and for each session the sequences and the label map. The
same options give the same bytes, and no session depends on how many others there are.
"""

import argparse
import json
import logging
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from gliaflow.config.schema import load_schema
from gliaflow.errors import ConfigError, GliaflowError
from gliaflow.images import Array, spacing_of, write_bytes, write_image
from gliaflow.labels import CONVENTIONS, REGIONS, SEQUENCES, region_mask
from gliaflow.preprocess.atlas import load_atlas
from gliaflow.sidecar import write_json
from gliaflow.simulate.contrasts import BRAIN_TISSUES, MEAN_SIGNAL, TEXTURE, add_scanner_effects, paint_tumour
from gliaflow.simulate.fields import named_rng, smooth_noise
from gliaflow.simulate.heads import (
    TISSUE_BRIGHTNESS,
    Head,
    Material,
    make_brain,
    template_points,
)
from gliaflow.simulate.tumours import TumourShape, grow, make_tumour, random_shape, region_volumes_ml

PLAN_FILE = "plan.json"
TISSUES = (*BRAIN_TISSUES, "necrotic core", "oedema", "enhancing")
NON_ENHANCING_CORE = {"t1n": 370, "t1c": 400, "t2w": 960, "t2f": 700}
"""What takes the signal of necrosis where a tumour does not enhance: solid tumour, near its oedema."""
DAYS_BETWEEN = (60, 180)
SITE_SPREAD, SESSION_SPREAD, ENHANCEMENT_SPREAD = 0.03, 0.08, 0.2
SITE_NOISE, SITE_BIAS, BIAS_MM = (8.0, 20.0), (0.0, 0.12), 70.0
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CohortPlan:
    """What a labelled cohort is to hold.

    Attributes
    ----------
    subjects, sessions
        How many subjects, and sessions of each; in a later one the tumour of the same head has grown.
    sites
        The subjects are dealt to site1, site2 and so on, which differ in noise, bias field and contrast.
    resolution_mm
        Voxel size of the bundled MNI152 atlas, 1 or 2.
    non_enhancing
        Share of the subjects whose tumour does not enhance: its core is label 1, and there is no ET.
    missing
        Share of the sessions that lack one sequence; its cell is empty.
    convention
        Values of the label maps, a key of ``gliaflow.labels.CONVENTIONS``; enhancing is 4 in brats2021.
    cohort
        Its name, letters and digits; cohorts of another name hold other subjects.
    seed
        Of everything random.

    A value out of its range is a ``ConfigError``.
    """

    subjects: int = 20
    sessions: int = 1
    sites: int = 2
    resolution_mm: int = 2
    non_enhancing: float = 0.2
    missing: float = 0.0
    convention: str = "gliaflow"
    cohort: str = "generated"
    seed: int = 1

    def __post_init__(self) -> None:
        """Check every value."""
        allowed = {
            **dict.fromkeys(("subjects", "sessions", "sites"), (lambda n: n >= 1, "a number from 1")),
            "resolution_mm": (lambda mm: mm in {1, 2}, "1 or 2"),
            **dict.fromkeys(("non_enhancing", "missing"), (lambda s: 0 <= s <= 1, "a share from 0 to 1")),
            "convention": (lambda name: name in CONVENTIONS, f"one of {', '.join(CONVENTIONS)}"),
            "cohort": (lambda name: re.fullmatch("[A-Za-z0-9]+", name), "letters and digits"),
            "seed": (lambda seed: 0 <= seed < 2**32, "a number from 0 to 4294967295"),
        }
        for name, (fits, wanted) in allowed.items():
            value = getattr(self, name)
            if not fits(value):
                raise ConfigError(f"{name}: {value!r} does not fit; write {wanted}")

    def rng(self, *names: str) -> np.random.Generator:
        """Return the generator of a named part of the cohort."""
        return named_rng(self.seed, self.cohort, *names)


@dataclass(frozen=True)
class PlannedSession:
    """One session to write; ``sequences`` are those that it has."""

    subject: str
    session: str
    days: int
    site: str
    tumour: TumourShape
    sequences: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Where its files lie in the cohort's folder."""
        return f"sub-{self.subject}/ses-{self.session}"


@dataclass(frozen=True)
class Site:
    """A site's scanner: noise in each receiver channel, strength of its bias, and a factor per tissue."""

    noise: float
    bias: float
    contrast: Mapping[str, Mapping[str, float]]


def write_cohort(folder: Path, plan: CohortPlan, progress: Callable[[str], None] = logger.info) -> Path:
    """Write a cohort that the training takes as it is.

    Parameters
    ----------
    folder
        New, empty, or holding the same cohort, whose files are then written again.
    plan
        What it is to hold.
    progress
        Is given one line after each session.

    Returns
    -------
    Path
        ``samples.tsv``, written last. Beside it lie ``participants.tsv`` (cohort, subject, site),
        ``plan.json`` and ``sub-*/ses-*/``: ``t1n``, ``t1c``, ``t2w``, ``t2f`` (int16, 0 outside the brain, 1
        and more inside) and ``label`` (uint8) as ``.nii.gz`` on the grid of ``load_atlas``.

    Raises
    ------
    ConfigError
        The folder holds anything else.
    """
    claim(folder, plan)
    grid, _ = load_atlas(None, plan.resolution_mm)
    planned = [list(plan_subject(plan, index)) for index in range(1, plan.subjects + 1)]
    for sessions in planned:
        head = make_stripped_head(grid, plan.rng(sessions[0].subject, "head"))
        for session in sessions:
            labels = write_session(folder / session.folder, plan, session, head)
            volumes = region_volumes_ml(labels, head.affine)
            sizes = ", ".join(f"{region} {volumes[region]:.1f} ml" for region in REGIONS)
            progress(f"{session.folder} of {plan.subjects} subjects, {session.site}: {sizes}")
    people = ({"cohort": plan.cohort, "subject": s[0].subject, "site": s[0].site} for s in planned)
    write_table(folder / "participants.tsv", ("cohort", "subject", "site"), people)
    rows = (sheet_row(plan, session) for sessions in planned for session in sessions)
    write_table(folder / "samples.tsv", tuple(load_schema("samples")["properties"]), rows)
    return folder / "samples.tsv"


def claim(folder: Path, plan: CohortPlan) -> None:
    """Make a cohort's folder and note its plan there, unless the folder holds anything else."""
    if folder.exists() and not (folder.is_dir() and (holds(folder, plan) or not any(folder.iterdir()))):
        raise ConfigError(f"{folder}: holds something else than this cohort; give a new or an empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / PLAN_FILE, asdict(plan))


def holds(folder: Path, plan: CohortPlan) -> bool:
    """Tell whether a folder was made for this plan."""
    try:
        return bool(json.loads((folder / PLAN_FILE).read_text(encoding="utf-8")) == asdict(plan))
    except (FileNotFoundError, ValueError):
        return False


def plan_subject(plan: CohortPlan, index: int) -> Iterator[PlannedSession]:
    """Plan the sessions of a subject, counted from 1, in their order."""
    subject, days = f"{index:03d}", 0
    rng = plan.rng(subject, "course")
    golden = (1 + 5**0.5) / 2
    tumour = random_shape(rng, enhancing=not is_chosen(golden * index, plan.non_enhancing))
    for number in range(1, plan.sessions + 1):
        lacks_one = is_chosen(2**0.5 * index + 3**0.5 * number, plan.missing)
        lost = plan.rng(subject, str(number), "missing").choice(SEQUENCES) if lacks_one else None
        sequences = tuple(sequence for sequence in SEQUENCES if sequence != lost)
        site = f"site{(index - 1) % plan.sites + 1}"
        yield PlannedSession(subject, str(number), days, site, tumour, sequences)
        tumour, days = grow(tumour, rng), days + int(rng.integers(*DAYS_BETWEEN, endpoint=True))


def is_chosen(position: float, share: float) -> bool:
    """Tell whether one of a series is of the given share.

    Positions that are multiples of an irrational number spread the chosen ones evenly, over any part of the
    series and over the sites, however long it is.

    >>> [is_chosen(2**0.5 * index, 0.25) for index in range(1, 9)]
    [False, False, True, False, True, False, False, False]
    """
    return position % 1 < share


def make_stripped_head(grid: nib.Nifti1Image, rng: np.random.Generator) -> Head:
    """Make a subject's brain on a grid that is upright (RAS+, cubic voxels), in fluid and nothing else."""
    x, y, z = grid.shape
    resolution_mm = spacing_of(grid)[0]
    brightness, brain = make_brain(template_points(grid.affine, (x, y, z), rng), resolution_mm)
    return Head(
        affine=grid.affine,
        brightness=brightness,
        brain=brain,
        materials=np.full(brain.shape, Material.CSF, dtype=np.uint8),
        texture=smooth_noise(brain.shape, spacing_of(grid), 1.5 * resolution_mm, rng),
    )


def write_session(folder: Path, plan: CohortPlan, session: PlannedSession, head: Head) -> Array:
    """Write the scans and the label map of a session; return the map (uint8, gliaflow's own values)."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = make_tumour(head, session.tumour, plan.rng(session.subject, "tumour"))
    site = make_site(plan, session.site)
    for sequence in session.sequences:
        rng = plan.rng(session.subject, session.session, sequence)
        signal = draw_signal(sequence, site, rng, enhancing=bool(region_mask(labels, "ET").any()))
        write_image(
            folder / f"{sequence}.nii.gz", scan(head, labels, signal, site, rng), head.affine, np.int16
        )
    write_image(folder / "label.nii.gz", in_convention(labels, plan.convention), head.affine, np.uint8)
    return labels


def make_site(plan: CohortPlan, name: str) -> Site:
    """Draw what is a site's own."""
    rng = plan.rng(name)
    contrast = {sequence: factors(rng, SITE_SPREAD) for sequence in SEQUENCES}
    return Site(noise=rng.uniform(*SITE_NOISE), bias=rng.uniform(*SITE_BIAS), contrast=contrast)


def factors(rng: np.random.Generator, spread: float) -> dict[str, float]:
    """Draw a factor near 1 for each tissue."""
    return {tissue: rng.uniform(1 - spread, 1 + spread) for tissue in TISSUES}


def draw_signal(sequence: str, site: Site, rng: np.random.Generator, *, enhancing: bool) -> dict[str, float]:
    """Return each tissue's signal in a scan: the table's, by a factor of the site and one of the scan."""
    own = factors(rng, SESSION_SPREAD)
    mean = {tissue: MEAN_SIGNAL[tissue][sequence] for tissue in TISSUES}
    if not enhancing:
        mean["necrotic core"] = NON_ENHANCING_CORE[sequence]
    if sequence == "t1c":
        own["enhancing"] = rng.uniform(1 - ENHANCEMENT_SPREAD, 1 + ENHANCEMENT_SPREAD)
    return {tissue: mean[tissue] * own[tissue] * site.contrast[sequence][tissue] for tissue in TISSUES}


def scan(
    head: Head, labels: Array, signal: Mapping[str, float], site: Site, rng: np.random.Generator
) -> Array:
    """Return a scan of a stripped head, shape (x, y, z): whole numbers, from 1 in the brain, 0 outside."""
    spacing = (head.resolution_mm,) * 3
    image = np.interp(head.brightness, TISSUE_BRIGHTNESS, [signal[tissue] for tissue in BRAIN_TISSUES])
    image = (image * (1 + TEXTURE["brain"] * head.texture)).astype(np.float32)
    paint_tumour(image, labels, head.texture, signal)
    image = ndimage.gaussian_filter(image, 0.5)
    image *= np.exp(site.bias * smooth_noise(image.shape, spacing, BIAS_MM, rng))
    seen = np.rint(add_scanner_effects(image, spacing, rng, noise=site.noise))
    return np.where(head.brain, np.maximum(seen, 1), 0)


def in_convention(labels: Array, convention: str) -> Array:
    """Return a label map (uint8) with the values of a named convention.

    >>> in_convention(np.array([0, 1, 2, 3]), "brats2021").tolist()
    [0, 1, 2, 4]
    """
    lookup = np.zeros(max(CONVENTIONS[convention].values()) + 1, dtype=np.uint8)
    for stored, value in CONVENTIONS[convention].items():
        lookup[value] = stored
    return lookup[labels]


def sheet_row(plan: CohortPlan, session: PlannedSession) -> dict[str, str]:
    """Return the cells of a session's row that are not empty."""
    images = (*session.sequences, "label")
    return {
        **{"cohort": plan.cohort, "subject": session.subject, "session": session.session},
        **{"days": str(session.days), "stripped": "yes", "registered": "atlas"},
        **{name: f"{session.folder}/{name}.nii.gz" for name in images},
    }


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    """Write a tab-separated file; what a row does not name is empty."""
    lines = [columns, *([row.get(column, "") for column in columns] for row in rows)]
    write_bytes(path, "".join("\t".join(line) + "\n" for line in lines).encode())


HELP = {
    "subjects": "number of subjects",
    "sessions": "sessions of each subject; the tumour grows from one to the next",
    "sites": "number of sites, which differ in noise, bias field and contrast",
    "resolution_mm": "voxel size of the MNI152 atlas: 1 or 2",
    "non_enhancing": "share of the subjects whose tumour does not enhance, 0 to 1",
    "missing": "share of the sessions that lack one sequence, 0 to 1",
    "convention": f"values of the label maps: {', '.join(CONVENTIONS)}",
    "cohort": "name of the cohort, letters and digits",
    "seed": "the same seed gives the same bytes",
}


def main(arguments: list[str] | None = None) -> int:
    """Write a cohort as the command line asks; status 1, with one sentence, where that is not possible."""
    parser = argparse.ArgumentParser(
        prog="python -m gliaflow.simulate.labelled",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("folder", type=Path, metavar="OUT", help="a new or an empty folder")
    for field in fields(CohortPlan):
        option = f"--{field.name.replace('_', '-')}"
        kind = type(field.default)
        parser.add_argument(option, type=kind, default=field.default, metavar="X", help=HELP[field.name])
    options = vars(parser.parse_args(arguments))
    folder = options.pop("folder")
    try:
        sheet = write_cohort(folder, CohortPlan(**options), lambda line: print(line, flush=True))
    except (GliaflowError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"wrote {sheet}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
