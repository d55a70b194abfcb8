"""The plan of a labelled cohort: what each of its subjects and sessions is to be."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gliaflow.labels import CONVENTIONS, SEQUENCES
from gliaflow.simulate.cases import Case, draw_case, grow_case
from gliaflow.simulate.command import COUNT, NAME, SEED, SEVERITY, SHARE, check_plan
from gliaflow.simulate.fields import named_rng
from gliaflow.simulate.heads import Anatomy

DAYS_BETWEEN = (60, 180)
ANATOMIES = ("mixed", "mni152", "colin27")
SHARES = ("non_enhancing", "healthy", "randomised", "missing")


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
    anatomy
        Whose brain is deformed: mni152, colin27, or mixed for one of both in each subject.
    non_enhancing
        Share of the subjects whose tumour does not enhance: its core is label 1, and there is no ET.
    healthy
        Share of the subjects without a tumour; what is bright in their scans has label 0.
    randomised
        Share of the sessions whose tissues have random signals; the others' are realistic.
    severity
        Factor of the scanners' artefacts and of the brain masks' errors, 0 to 2; 0 for none.
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
    anatomy: str = "mixed"
    non_enhancing: float = 0.2
    healthy: float = 0.0
    randomised: float = 0.0
    severity: float = 1.0
    missing: float = 0.0
    convention: str = "gliaflow"
    cohort: str = "generated"
    seed: int = 1

    def __post_init__(self) -> None:
        """Check every value."""
        check_plan(
            self,
            {
                **dict.fromkeys(("subjects", "sessions", "sites"), COUNT),
                "resolution_mm": (lambda mm: mm in {1, 2}, "1 or 2"),
                "anatomy": (lambda name: name in ANATOMIES, f"one of {', '.join(ANATOMIES)}"),
                **dict.fromkeys(SHARES, SHARE),
                "severity": SEVERITY,
                "convention": (lambda name: name in CONVENTIONS, f"one of {', '.join(CONVENTIONS)}"),
                "cohort": NAME,
                "seed": SEED,
            },
        )

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
    case: Case
    randomised: bool
    sequences: tuple[str, ...]

    @property
    def folder(self) -> str:
        """Where its files lie in the cohort's folder."""
        return f"sub-{self.subject}/ses-{self.session}"


def plan_subject(plan: CohortPlan, index: int) -> Iterator[PlannedSession]:
    """Plan the sessions of a subject, counted from 1, in their order."""
    subject, days = f"{index:03d}", 0
    rng = plan.rng(subject, "course")
    golden = (1 + 5**0.5) / 2
    case = draw_case(
        plan.rng(subject, "case"),
        enhancing=not is_chosen(golden * index, plan.non_enhancing),
        healthy=is_chosen(5**0.5 * index, plan.healthy),
    )
    for number in range(1, plan.sessions + 1):
        lacks_one = is_chosen(2**0.5 * index + 3**0.5 * number, plan.missing)
        lost = plan.rng(subject, str(number), "missing").choice(SEQUENCES) if lacks_one else None
        sequences = tuple(sequence for sequence in SEQUENCES if sequence != lost)
        randomised = is_chosen(7**0.5 * index + 3**0.5 * number, plan.randomised)
        site = f"site{(index - 1) % plan.sites + 1}"
        yield PlannedSession(subject, str(number), days, site, case, randomised, sequences)
        case, days = grow_case(case, rng), days + int(rng.integers(*DAYS_BETWEEN, endpoint=True))


def anatomy_of(plan: CohortPlan, subject: str) -> Anatomy:
    """Return whose brain a subject's is a deformed copy of."""
    either = plan.rng(subject, "anatomy").random() < 0.5
    if plan.anatomy == "mni152" or (plan.anatomy == "mixed" and either):
        return "mni152"
    return "colin27"


def is_chosen(position: float, share: float) -> bool:
    """Tell whether one of a series is of the given share.

    Positions that are multiples of an irrational number spread the chosen ones evenly, over any part of the
    series and over the sites, however long it is.

    >>> [is_chosen(2**0.5 * index, 0.25) for index in range(1, 9)]
    [False, False, True, False, True, False, False, False]
    """
    return position % 1 < share
