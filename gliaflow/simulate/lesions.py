"""Lesions grown in a brain: cores by the way tissue lets them, oedema along white matter."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from scipy.special import ndtri

from gliaflow.errors import ConfigError
from gliaflow.images import Array
from gliaflow.masks import largest_part
from gliaflow.simulate.cases import LABEL_OF, Case, Focus, Tissue
from gliaflow.simulate.fields import signed_distance
from gliaflow.simulate.ground import Ground, widen_ventricles
from gliaflow.simulate.mass_effect import box_around, push_away

CORE_SPEED: Mapping[str, float] = {"white": 1.0, "grey": 0.75, "csf": 0.35}
OEDEMA_SPEED: Mapping[str, float] = {"white": 1.0, "grey": 0.12, "csf": 0.003}
"""How fast growth crosses each tissue, relative to white matter."""
BLOCKED = 0.01
FALX_MM, FALX_FLUID = 2.5, 0.25
FARTHEST = 3.0
"""Reach of the box of a growth, as a multiple of the radius of a ball of its volume, beside 10 mm."""
LATEST = 1e4
"""Later than any arrival that is wanted; voxels that nothing reaches are later still."""


@dataclass(frozen=True)
class Lesions:
    """What was grown: ``tissues`` (uint8, `Tissue`), and how far out in its oedema a voxel lies (float32).

    ``margin`` is 0 at the core and 1 where the oedema ends.
    """

    tissues: Array
    margin: Array

    @property
    def labels(self) -> Array:
        """The label map, uint8 (resources/labels.tsv)."""
        labels: Array = LABEL_OF[self.tissues]
        return labels


def grow_lesions(ground: Ground, case: Case, rng: np.random.Generator) -> tuple[Ground, Lesions]:
    """Grow a case in a brain.

    Parameters
    ----------
    ground
        The brain before.
    case
        What is to grow; without foci nothing does.
    rng
        Decides the places. Everything else about the form comes from the ground's noise, so that a larger
        case is the same one grown.

    Returns
    -------
    tuple
        The ground with wider ventricles and the tissue pushed aside, and the lesions in it.

    Raises
    ------
    ConfigError
        The brain has no tissue where a focus could start.
    """
    ground = widen_ventricles(ground, case.wider_mm)
    centres = [choose_centre(ground, focus.place, rng) for focus in case.foci]
    largest = max((focus.radius_mm for focus in case.foci), default=1.0)
    for focus, centre in zip(case.foci, centres, strict=True):
        ground = push_away(ground, centre, focus.radius_mm, case.push_mm * focus.radius_mm / largest)
    tissues = np.zeros(ground.csf.shape, dtype=np.uint8)
    margin = np.ones(ground.csf.shape, dtype=np.float32)
    for focus, centre in zip(case.foci, centres, strict=True):
        grow_focus(ground, focus, centre, tissues, margin)
    return ground, Lesions(tissues, margin)


def grow_focus(ground: Ground, focus: Focus, centre: Array, tissues: Array, margin: Array) -> None:
    """Grow one focus into the maps, in place; cores go over the oedema of others, oedema over nothing."""
    core, box = grow_core(ground, focus, centre)
    inside = compose(ground, focus, core, box)
    tissues[box] = np.where(core, inside, tissues[box])
    margin[box] = np.where(core, 0, margin[box])
    oedema, out, wide = grow_oedema(ground, focus, core, box, centre)
    free = oedema & ((tissues[wide] == Tissue.NONE) | (tissues[wide] == Tissue.OEDEMA))
    tissues[wide] = np.where(free, np.uint8(Tissue.OEDEMA), tissues[wide])
    margin[wide] = np.where(free, np.minimum(margin[wide], out), margin[wide])


def white_place(ground: Ground) -> Array:
    """Deep white matter."""
    return (ground.depth > 12) & (ground.white > 0.8)


def junction_place(ground: Ground) -> Array:
    """Where white matter meets the cortex."""
    return (ground.depth > 5) & (ground.depth < 13) & (ground.white > 0.3) & (ground.grey > 0.2)


def cortex_place(ground: Ground) -> Array:
    """The cortex."""
    return (ground.depth > 2) & (ground.depth < 8) & (ground.grey > 0.6)


def ventricle_place(ground: Ground) -> Array:
    """White matter beside a lateral ventricle."""
    distance = signed_distance(ground.ventricles, ground.head.affine)
    return (distance > 2) & (distance < 9) & (ground.white > 0.6)


def callosum_place(ground: Ground) -> Array:
    """The corpus callosum."""
    x, y, z = ground.points
    return (np.abs(x) < 7) & (ground.white > 0.6) & (z > 0) & (z < 35) & (y < 40) & (y > -48)


def fossa_place(ground: Ground) -> Array:
    """The cerebellum."""
    _, y, z = ground.points
    return (y < -38) & (z < -20) & (ground.csf < 0.3) & (ground.depth > 4)


def any_place(ground: Ground) -> Array:
    """Tissue below the surface."""
    return (ground.csf < 0.3) & (ground.depth > 3)


PLACES: Mapping[str, Callable[[Ground], Array]] = {
    "white": white_place,
    "junction": junction_place,
    "cortex": cortex_place,
    "ventricle": ventricle_place,
    "callosum": callosum_place,
    "fossa": fossa_place,
}
LOWEST_MM, LOWEST_Y_MM = -22.0, -20.0
"""Foci that are not of the posterior fossa start above its top, or in front of it."""


def choose_centre(ground: Ground, place: str, rng: np.random.Generator) -> Array:
    """Return the world point, shape (3,), where a focus starts."""
    possible = PLACES[place](ground) & ground.head.brain
    if place != "fossa":
        _, y, z = ground.points
        possible &= (z > LOWEST_MM) | ((y > LOWEST_Y_MM) & (ground.depth > 3))
    for candidates in (np.argwhere(possible), np.argwhere(any_place(ground) & ground.head.brain)):
        if len(candidates):
            voxel = candidates[int(rng.random() * len(candidates))]
            centre: Array = ground.head.affine[:3, 3] + ground.head.resolution_mm * voxel
            return centre
    raise ConfigError("this brain has no tissue for a tumour; use another seed or a finer resolution")


def grow_core(ground: Ground, focus: Focus, centre: Array) -> tuple[Array, tuple[slice, ...]]:
    """Return the core of a focus, bool, in a box of the grid, and the box."""
    box = box_around(ground, centre, FARTHEST * focus.radius_mm + 10)
    start = np.zeros(ground.csf[box].shape, dtype=bool)
    voxel = np.rint((centre - ground.head.affine[:3, 3]) / ground.head.resolution_mm).astype(int)
    start[tuple(v - s.start for v, s in zip(voxel, box, strict=True))] = True
    speed = growth_speed(ground, box, CORE_SPEED)
    rough = focus.roughness
    speed *= np.exp(rough * (0.7 * ground.noise["form"][box] + 0.4 * ground.noise["outline"][box]))
    time = arrival(speed, start, ground.head.resolution_mm)
    time = time * np.exp(0.12 * rough * ground.noise["bumps"][box])
    allowed = ground.head.brain[box] & ~ground.ventricles[box] & (time < LATEST)
    core = earliest(time, allowed, focus.core_ml, ground.head.resolution_mm) | start
    return largest_part(ndimage.binary_fill_holes(core)), box


def growth_speed(ground: Ground, box: tuple[slice, ...], speeds: Mapping[str, float]) -> Array:
    """Return how fast growth crosses each voxel: nearly blocked by ventricles, falx and the surface."""
    speed = sum(share * getattr(ground, tissue)[box] for tissue, share in speeds.items())
    x = ground.head.affine[0, 3] + ground.head.resolution_mm * np.arange(ground.csf.shape[0])
    falx = (np.abs(x) < FALX_MM)[box[0], None, None] & (ground.csf[box] > FALX_FLUID)
    shut = falx | ground.ventricles[box] | ~ground.head.brain[box]
    return np.where(shut, np.minimum(speed, BLOCKED), np.maximum(speed, 0.002)).astype(np.float32)


def arrival(speed: Array, start: Array, edge_mm: float) -> Array:
    """Return when a front that starts in a mask arrives, by fast marching (Sethian 1996).

    Parameters
    ----------
    speed
        In mm per unit of time, above 0, shape (x, y, z).
    start
        Bool, shape (x, y, z); what of it borders on the rest is where the front starts.
    edge_mm
        Edge of a voxel.

    Returns
    -------
    numpy.ndarray
        float64, shape (x, y, z); 0 in the start.
    """
    image = sitk.GetImageFromArray(np.ascontiguousarray(speed.T))
    image.SetSpacing((edge_mm,) * 3)
    border = start & ~ndimage.binary_erosion(start)
    march = sitk.FastMarchingImageFilter()
    march.SetTrialPoints(np.argwhere(border).tolist())
    march.SetStoppingValue(LATEST)
    time = sitk.GetArrayFromImage(march.Execute(image)).T
    return np.where(start, 0.0, time)


def earliest(time: Array, allowed: Array, volume_ml: float, edge_mm: float) -> Array:
    """Return the voxels that are reached first, bool, as many as make up a volume."""
    times = time[allowed]
    count = min(max(round(volume_ml * 1000 / edge_mm**3), 1), len(times))
    if not count:
        return np.zeros_like(allowed)
    return allowed & (time <= np.partition(times, count - 1)[count - 1])


def compose(ground: Ground, focus: Focus, core: Array, box: tuple[slice, ...]) -> Array:
    """Fill a core with tissues, uint8, `Tissue`, shape of the box: rim with gaps, nodules, patches."""
    edge, noise = ground.head.resolution_mm, ground.noise
    inside = np.full(core.shape, focus.inside, dtype=np.uint8)
    with np.errstate(divide="ignore"):
        gap, nodule, patch = ndtri([focus.gaps, 1 - focus.nodules, 1 - focus.patches])
    inside[noise["specks"][box] > patch] = focus.second
    if focus.rim_mm:
        depth = ndimage.distance_transform_edt(core, sampling=edge) - edge / 2
        rim = depth < np.maximum(focus.rim_mm * np.exp(0.45 * noise["rim"][box]), 0.6 * edge)
        inside[rim] = Tissue.ENHANCING
        broken = Tissue.CAVITY if focus.inside == Tissue.CAVITY else Tissue.SOLID
        inside[rim & (noise["patches"][box] < gap)] = broken
    if focus.nodules:
        patchy = noise["patches"][box]
        inside[patchy >= min(nodule, np.quantile(patchy[core], 1 - focus.nodules))] = Tissue.ENHANCING
    return inside


def grow_oedema(
    ground: Ground, focus: Focus, core: Array, box: tuple[slice, ...], centre: Array
) -> tuple[Array, Array, tuple[slice, ...]]:
    """Return the oedema round a core (bool), how far out in it voxels lie (0 to 1), and the box of both."""
    whole = (3000 * (focus.core_ml + focus.oedema_ml) / (4 * np.pi)) ** (1 / 3)
    wide = box_around(ground, centre, FARTHEST * max(whole, focus.radius_mm) + 10)
    start = np.zeros(ground.csf[wide].shape, dtype=bool)
    start[tuple(slice(b.start - w.start, b.stop - w.start) for b, w in zip(box, wide, strict=True))] = core
    speed = growth_speed(ground, wide, OEDEMA_SPEED)
    speed *= np.exp(0.6 * ground.noise["form"][wide] + 0.4 * ground.noise["outline"][wide])
    time = arrival(speed, start, ground.head.resolution_mm)
    time = time * np.exp(0.1 * ground.noise["bumps"][wide])
    allowed = (ground.csf[wide] < 0.5) & ground.head.brain[wide] & ~start & (time < LATEST)
    oedema = earliest(time, allowed, focus.oedema_ml, ground.head.resolution_mm)
    last = float(time[oedema].max()) if oedema.any() else 1.0
    return oedema, np.clip(time / last, 0, 1).astype(np.float32), wide
