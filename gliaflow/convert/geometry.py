"""Where the slices of a series lie, and whether they make one volume."""

from dataclasses import dataclass

import numpy as np

from gliaflow.errors import ConversionError
from gliaflow.images import Array

SAME_PLACE_MM = 0.05
SAME_DIRECTION = 1e-2
ROUNDING_MM = 1e-3
MISSING_FROM = 1.5
ASLANT_MM = 1.0


@dataclass(frozen=True)
class Stack:
    """How many images lie at each place along the slice normal, and how far the places are apart in mm.

    ``images_at_place`` is empty where the images carry no position. ``aside_mm`` is how far the one that lies
    farthest aside is from the normal through the first.
    """

    one_orientation: bool
    images_at_place: tuple[int, ...]
    steps_mm: tuple[float, ...]
    aside_mm: float = 0.0

    @property
    def n_slices(self) -> int:
        """The number of different places."""
        return len(self.images_at_place)


def stack_of(positions: Array, orientations: Array) -> Stack:
    """Sort images along the normal of the first one.

    Parameters
    ----------
    positions
        Shape (images, 3), ImagePositionPatient in mm; empty where unknown.
    orientations
        Shape (images, 6), ImageOrientationPatient.

    Returns
    -------
    Stack
        Images closer than 0.05 mm along the normal are at one place.
    """
    if len(positions) == 0:
        return Stack(one_orientation=True, images_at_place=(), steps_mm=())
    normal = np.cross(orientations[0, :3], orientations[0, 3:])
    shifts = positions - positions[0]
    aside = shifts - np.outer(shifts @ normal, normal)
    along = np.sort(positions @ normal)
    starts = np.flatnonzero(np.diff(along, prepend=-np.inf) > SAME_PLACE_MM)
    counts = np.diff(np.append(starts, len(along)))
    return Stack(
        one_orientation=bool(np.abs(orientations - orientations[0]).max() < SAME_DIRECTION),
        images_at_place=tuple(counts.tolist()),
        steps_mm=tuple(np.diff(along[starts]).tolist()),
        aside_mm=float(np.linalg.norm(aside, axis=1).max()),
    )


def check_stack(stack: Stack, name: str, max_slice_gap: float) -> None:
    """Check that the slices make one 3-D volume.

    Parameters
    ----------
    stack
        From :func:`stack_of`.
    name
        What to call the series in an error.
    max_slice_gap
        Share of the usual slice distance by which a single distance may differ from it.

    Raises
    ------
    ConversionError
        No positions, several orientations, places with several images, missing or uneven slices, slices
        that are stacked aslant.
    """
    if not stack.one_orientation:
        raise ConversionError(f"{name}: its slices lie in several orientations, as a localiser's do")
    if stack.n_slices < 2:
        raise ConversionError(f"{name}: {stack.n_slices} slice positions in its headers do not make a volume")
    _check_one_image_each(stack, name)
    steps = np.asarray(stack.steps_mm)
    usual = float(np.median(steps))
    wide = np.flatnonzero(steps > usual * MISSING_FROM)
    if wide.size:
        missing = int((np.rint(steps[wide] / usual) - 1).sum())
        raise ConversionError(
            f"{name}: about {missing} of its slices are missing: slices {wide[0] + 1} and {wide[0] + 2} lie "
            f"{steps[wide[0]]:.2f} mm apart, the others {usual:.2f} mm; copy the series again"
        )
    if np.abs(steps - usual).max() > usual * max_slice_gap + ROUNDING_MM:
        raise ConversionError(
            f"{name}: its slices lie {steps.min():.2f} to {steps.max():.2f} mm apart; they are not those of "
            "one evenly sliced volume (convert.max_slice_gap says how uneven they may be)"
        )
    if stack.aside_mm > ASLANT_MM:
        raise ConversionError(
            f"{name}: its slices are stacked aslant, the farthest {stack.aside_mm:.1f} mm aside, as by a "
            "tilted gantry; an image of straight voxels cannot stand for them; export the series reformatted"
        )


def _check_one_image_each(stack: Stack, name: str) -> None:
    counts = stack.images_at_place
    if max(counts) == 1:
        return
    if min(counts) == max(counts):
        raise ConversionError(
            f"{name}: holds {counts[0]} images at each of its {len(counts)} slice positions, as dynamic, "
            "diffusion or multi-echo series do; one 3-D volume is needed"
        )
    repeated = sum(count > 1 for count in counts)
    raise ConversionError(
        f"{name}: {repeated} of its {len(counts)} slice positions hold several different images; "
        "remove the slices that do not belong to the scan"
    )
