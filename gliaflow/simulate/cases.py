"""The kinds of brain tumours, and the drawing of a subject's case: numbers only, no images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

LARGEST_CORE_ML, LARGEST_OEDEMA_ML = 120.0, 170.0
SMALLEST_ML = 0.05
GROWTH = (1.15, 1.6)
"""Factor of a tumour's volumes from one session to the next."""
WITHOUT_HYPERINTENSITIES = 0.35
WIDER_MM = 6.0


class Tissue(IntEnum):
    """What a tumour is made of; `LABEL_OF` has the label of each."""

    NONE = 0
    NECROSIS = 1
    OEDEMA = 2
    ENHANCING = 3
    CAVITY = 4
    SOLID = 5
    CYST = 6
    BLOOD = 7


LABEL_OF = np.array([0, 1, 2, 3, 4, 1, 1, 1], dtype=np.uint8)
"""Value of the label map (resources/labels.tsv) for each `Tissue`."""


@dataclass(frozen=True)
class Focus:
    """One lesion of a case.

    Attributes
    ----------
    place
        Where it starts, a key of ``gliaflow.simulate.lesions.PLACES``.
    core_ml, oedema_ml
        Volume of what is not oedema, and of the oedema around it.
    rim_mm
        Mean thickness of the rim; 0 for none.
    gaps
        Share of the rim that does not enhance: 0 for a closed ring, 1 for a tumour without any.
    nodules
        Share of what lies inside the rim that enhances.
    inside
        What fills the core.
    second, patches
        Another tissue inside, and its share.
    roughness
        How irregular the outline is; 0 grows evenly in each tissue.
    """

    place: str
    core_ml: float
    oedema_ml: float
    rim_mm: float = 0.0
    gaps: float = 0.0
    nodules: float = 0.0
    inside: Tissue = Tissue.NECROSIS
    second: Tissue = Tissue.SOLID
    patches: float = 0.0
    roughness: float = 0.6

    @property
    def radius_mm(self) -> float:
        """Radius of a ball as large as the core."""
        return float((3000 * self.core_ml / (4 * np.pi)) ** (1 / 3))


@dataclass(frozen=True)
class Case:
    """A subject's lesions and what else differs from a healthy young brain.

    ``kind`` is a key of `KINDS` or ``healthy``; ``push_mm`` how far the largest focus moves the tissue at
    its border; ``hyperintensities`` the extent of white matter hyperintensities, 0 to 1; ``wider_mm`` how
    much farther the ventricles reach into the brain.
    """

    kind: str
    foci: tuple[Focus, ...] = ()
    push_mm: float = 0.0
    hyperintensities: float = 0.0
    wider_mm: float = 0.0


def lognormal(rng: np.random.Generator, median: float, spread: float, low: float, high: float) -> float:
    """Draw a volume or length round a median; ``spread`` is the standard deviation of its logarithm."""
    return float(np.clip(median * np.exp(spread * rng.standard_normal()), low, high))


def chance(rng: np.random.Generator, share: float) -> bool:
    """Tell whether something happens that does so in a share of the cases."""
    return bool(rng.random() < share)


def sized(rng: np.random.Generator, place: str, median_ml: float, spread: float, ratio: float) -> Focus:
    """Draw the volumes of a focus; ``ratio`` is the median of oedema over core."""
    core = lognormal(rng, median_ml, spread, SMALLEST_ML, LARGEST_CORE_ML)
    oedema = lognormal(rng, ratio, 0.8, 0.02, 25.0) * core ** lognormal(rng, 0.9, 0.08, 0.7, 1.0)
    return Focus(place, core, float(min(oedema, LARGEST_OEDEMA_ML)))


def glioblastoma(rng: np.random.Generator) -> tuple[Focus, ...]:
    """Necrosis in an irregular ring, at times broken or nearly solid."""
    place = str(rng.choice(("white", "junction", "cortex", "ventricle"), p=(0.4, 0.3, 0.15, 0.15)))
    return (
        replace(
            sized(rng, place, 28.0, 0.85, 2.8),
            rim_mm=lognormal(rng, 2.8, 0.5, 1.2, 10.0),
            gaps=float(rng.choice((0.0, 0.05, 0.2, 0.4)) * rng.random()),
            nodules=0.25 * rng.random() ** 3,
            inside=Tissue.NECROSIS,
            second=Tissue.BLOOD if chance(rng, 0.2) else Tissue.SOLID,
            patches=0.4 * rng.random() ** 2,
            roughness=rng.uniform(0.2, 0.7),
        ),
    )


def solid(rng: np.random.Generator) -> tuple[Focus, ...]:
    """A core that enhances nearly everywhere."""
    (focus,) = glioblastoma(rng)
    return (replace(focus, rim_mm=8 + 8 * rng.random(), gaps=0.1 * rng.random(), nodules=0.8),)


def patchy(rng: np.random.Generator) -> tuple[Focus, ...]:
    """An infiltrating tumour with some enhancing patches in it."""
    (focus,) = infiltrating(rng)
    return (replace(focus, nodules=rng.uniform(0.03, 0.25)),)


def butterfly(rng: np.random.Generator) -> tuple[Focus, ...]:
    """A glioblastoma of the corpus callosum, in both hemispheres."""
    (focus,) = glioblastoma(rng)
    return (replace(focus, place="callosum", core_ml=max(focus.core_ml, 12.0), roughness=0.4),)


def multifocal(rng: np.random.Generator) -> tuple[Focus, ...]:
    """Two to four glioblastomas apart from each other."""
    foci = [glioblastoma(rng)[0] for _ in range(int(rng.integers(2, 5)))]
    shares = rng.dirichlet(np.ones(len(foci)))
    return tuple(
        replace(
            focus,
            core_ml=max(float(s) * focus.core_ml, 0.3),
            oedema_ml=0.6 * focus.oedema_ml / len(foci) ** 0.5,
        )
        for focus, s in zip(foci, shares, strict=True)
    )


def cystic(rng: np.random.Generator) -> tuple[Focus, ...]:
    """A large cyst with a thin wall, enhancing in parts, and a solid nodule."""
    return (
        replace(
            sized(rng, str(rng.choice(("white", "junction", "fossa"), p=(0.4, 0.45, 0.15))), 22.0, 0.7, 0.9),
            rim_mm=rng.uniform(1.2, 3.0),
            gaps=rng.uniform(0.0, 0.7),
            nodules=0.12 * rng.random(),
            inside=Tissue.CYST,
            roughness=rng.uniform(0.1, 0.35),
        ),
    )


def metastases(rng: np.random.Generator) -> tuple[Focus, ...]:
    """One to eight round lesions, mostly small, where grey and white matter meet, or in the cerebellum."""
    count = 1 + int(min(rng.geometric(0.35) - 1, 7))
    median = rng.choice((0.4, 2.0, 8.0))
    ratio = lognormal(rng, 2.5, 0.9, 0.1, 12.0)
    return tuple(metastasis(rng, float(median), ratio) for _ in range(count))


def metastasis(rng: np.random.Generator, median_ml: float, ratio: float) -> Focus:
    """One of them: a ball or a ring."""
    return replace(
        sized(
            rng,
            str(rng.choice(("junction", "cortex", "white", "fossa"), p=(0.5, 0.2, 0.12, 0.18))),
            median_ml,
            0.9,
            ratio,
        ),
        rim_mm=lognormal(rng, 3.0, 0.5, 1.2, 15.0),
        gaps=0.2 * rng.random() ** 2,
        nodules=0.2 * rng.random() ** 2,
        inside=Tissue.CYST if chance(rng, 0.2) else Tissue.NECROSIS,
        second=Tissue.BLOOD,
        patches=0.5 * rng.random() if chance(rng, 0.12) else 0.0,
        roughness=rng.uniform(0.05, 0.35),
    )


def resection(rng: np.random.Generator) -> tuple[Focus, ...]:
    """A cavity filled with fluid, a thin wall that enhances in parts, and oedema or gliosis around it."""
    return (
        replace(
            sized(rng, str(rng.choice(("cortex", "junction", "white"), p=(0.5, 0.35, 0.15))), 18.0, 0.7, 1.2),
            rim_mm=rng.uniform(1.2, 4.0),
            gaps=rng.uniform(0.2, 0.8),
            nodules=0.06 * rng.random() ** 2,
            inside=Tissue.CAVITY,
            roughness=rng.uniform(0.2, 0.6),
        ),
    )


def infiltrating(rng: np.random.Generator) -> tuple[Focus, ...]:
    """A tumour without enhancement that infiltrates, with cysts at times."""
    return (
        replace(
            sized(
                rng,
                str(rng.choice(("cortex", "junction", "white", "callosum"), p=(0.35, 0.35, 0.25, 0.05))),
                30.0,
                0.9,
                0.9,
            ),
            inside=Tissue.SOLID,
            second=Tissue.CYST,
            patches=0.3 * rng.random() ** 3,
            roughness=rng.uniform(0.3, 1.0),
        ),
    )


def mostly_oedema(rng: np.random.Generator) -> tuple[Focus, ...]:
    """A tumour without enhancement of which little is told from the oedema."""
    (focus,) = infiltrating(rng)
    core = 0.05 + 0.25 * rng.random()
    whole = focus.core_ml + focus.oedema_ml
    return (replace(focus, core_ml=core * whole, oedema_ml=(1 - core) * whole),)


def mismatch(rng: np.random.Generator) -> tuple[Focus, ...]:
    """An astrocytoma that is bright on T2 and dark on FLAIR but for its rim."""
    (focus,) = infiltrating(rng)
    oedema = focus.oedema_ml * rng.uniform(0.1, 0.6)
    return (
        replace(
            focus,
            oedema_ml=oedema,
            rim_mm=rng.uniform(1.5, 4.0),
            gaps=1.0,
            inside=Tissue.CYST,
            second=Tissue.SOLID,
            patches=0.25 * rng.random(),
            roughness=rng.uniform(0.2, 0.6),
        ),
    )


Kind = Callable[[np.random.Generator], tuple[Focus, ...]]
ENHANCING: Mapping[str, tuple[Kind, float]] = {
    "glioblastoma": (glioblastoma, 0.41),
    "solid": (solid, 0.07),
    "patchy": (patchy, 0.08),
    "butterfly": (butterfly, 0.05),
    "multifocal": (multifocal, 0.08),
    "cystic": (cystic, 0.06),
    "metastases": (metastases, 0.17),
    "resection": (resection, 0.08),
}
NON_ENHANCING: Mapping[str, tuple[Kind, float]] = {
    "infiltrating": (infiltrating, 0.5),
    "mostly oedema": (mostly_oedema, 0.3),
    "mismatch": (mismatch, 0.2),
}
KINDS: Mapping[str, tuple[Kind, float]] = {**ENHANCING, **NON_ENHANCING}
"""Each kind's drawing and its share among those that enhance, or that do not."""


def draw_case(rng: np.random.Generator, *, enhancing: bool = True, healthy: bool = False) -> Case:
    """Draw a subject's case.

    Parameters
    ----------
    rng
        Where every number comes from.
    enhancing
        Draw a kind with a part that enhances; else one without.
    healthy
        Draw no lesion.

    Returns
    -------
    Case
        Of the kinds in `KINDS`.
    """
    extent = 0.0 if chance(rng, WITHOUT_HYPERINTENSITIES) else float(rng.random() ** 1.5)
    wider = float(WIDER_MM * rng.random() ** 2)
    push = float(rng.random())
    if healthy:
        return Case("healthy", (), 0.0, extent, wider)
    kinds = ENHANCING if enhancing else NON_ENHANCING
    kind = str(rng.choice(list(kinds), p=[share for _, share in kinds.values()]))
    foci = kinds[kind][0](rng)
    largest = max(focus.radius_mm for focus in foci)
    return Case(kind, foci, 0.0 if kind == "resection" else min(8.0, 0.5 * push * largest), extent, wider)


def grow_case(case: Case, rng: np.random.Generator) -> Case:
    """Return the same case some months later, with larger lesions."""
    factor = rng.uniform(*GROWTH)
    return replace(
        case,
        foci=tuple(
            replace(
                focus,
                core_ml=min(factor * focus.core_ml, 1.5 * LARGEST_CORE_ML),
                oedema_ml=min(factor * focus.oedema_ml, 1.5 * LARGEST_OEDEMA_ML),
            )
            for focus in case.foci
        ),
    )
