"""A follow-up brought to its baseline, and whether a person should believe it."""

from dataclasses import dataclass

import nibabel as nib
import numpy as np

from gliaflow.errors import ImageError
from gliaflow.evaluate.overlap import dice
from gliaflow.growth.space import carry_image, carry_labels, carry_mask
from gliaflow.growth.warp import Warp, deform, likeness, widened
from gliaflow.images import Array, data_of
from gliaflow.preprocess.resample import apply_mask

CLEARANCE_MM = 3.0
ADVICE = "look at the picture of the follow-up, and leave the session out if it is wrong"


@dataclass(frozen=True)
class Scan:
    """A session's image, brain mask and label map on one grid, each of shape (x, y, z)."""

    image: nib.Nifti1Image
    brain: nib.Nifti1Image
    labels: nib.Nifti1Image

    @property
    def stripped(self) -> nib.Nifti1Image:
        """The image in the brain, 0 elsewhere."""
        return apply_mask(self.image, self.brain)


@dataclass(frozen=True)
class FollowUpNumbers:
    """What tells whether a follow-up lies where it belongs; where the brain is that of the baseline.

    Attributes
    ----------
    likeness_before, likeness_rigid, likeness_after
        Normalised mutual information, 1 to 2, in the brain outside both lesions: as the headers place the
        follow-up, after the rigid and after the deformable registration.
    brain_dice
        Of both brain masks after registration.
    jacobian_least, jacobian_most
        Extremes in the brain of how large the follow-up's tissue is for that of the baseline.
    folded_share
        The share of the brain whose Jacobian determinant is 0 or less.
    rotation_degrees, shift_mm
        Of the rigid registration; the shift of the brain's centre.
    deformation_mean_mm, deformation_most_mm
        Length of the displacement in the brain.
    """

    likeness_before: float
    likeness_rigid: float
    likeness_after: float
    brain_dice: float
    jacobian_least: float
    jacobian_most: float
    folded_share: float
    rotation_degrees: float
    shift_mm: float
    deformation_mean_mm: float
    deformation_most_mm: float


NUMBERS = {
    "likeness_before": "Normalised mutual information (1 to 2) of baseline and follow-up as their headers "
    "place them, in the brain outside both lesions",
    "likeness_rigid": "The same after the rigid registration",
    "likeness_after": "The same after the deformable registration",
    "brain_dice": "Dice coefficient of both brain masks after registration",
    "jacobian_least": "Smallest Jacobian determinant in the brain: how large the follow-up's tissue is there "
    "for that of the baseline",
    "jacobian_most": "Largest Jacobian determinant in the brain",
    "folded_share": "Share of the brain whose Jacobian determinant is 0 or less",
    "rotation_degrees": "Angle of the rigid registration in degrees",
    "shift_mm": "How far the rigid registration moves the centre of the brain, in mm",
    "deformation_mean_mm": "Mean length of the displacement in the brain, in mm",
    "deformation_most_mm": "Largest length of the displacement in the brain, in mm",
}


@dataclass(frozen=True)
class FollowUp:
    """A follow-up on the growth grid of its baseline.

    Attributes
    ----------
    image
        float32, 0 outside the follow-up's brain.
    brain, labels
        uint8; labels inside the baseline's brain only.
    warp
        The follow-up's space to the baseline's.
    numbers
        What to judge it by.
    """

    image: nib.Nifti1Image
    brain: nib.Nifti1Image
    labels: nib.Nifti1Image
    warp: Warp
    numbers: FollowUpNumbers


@dataclass(frozen=True)
class FollowUpSettings:
    """When a registered follow-up is to be looked at or refused.

    The values are starting points; None is never.

    Attributes
    ----------
    flag_dice_below, refuse_dice_below
        Of the brain masks.
    flag_jacobian_below, flag_jacobian_above
        Of the extremes in the brain.
    flag_deformation_above_mm
        Of the largest displacement in the brain.
    refuse_folded_above
        Share of the brain that is folded.
    refuse_likeness_below
        Of the normalised mutual information after registration: unrelated scans have 1.01, scans of one
        brain 1.1 and more.
    refuse_less_alike
        Whether to refuse a follow-up that the registration made less like the baseline.
    """

    flag_dice_below: float | None = 0.94
    refuse_dice_below: float | None = 0.85
    flag_jacobian_below: float | None = 0.3
    flag_jacobian_above: float | None = 3.0
    flag_deformation_above_mm: float | None = 20.0
    refuse_folded_above: float | None = 0.001
    refuse_likeness_below: float | None = 1.05
    refuse_less_alike: bool = True


SAYINGS = {
    "dice_below": ("brain_dice", "the brain masks do not agree (Dice {value:.3f}, below {limit:g})"),
    "jacobian_below": ("jacobian_least", "tissue shrinks to {value:.2f} of its volume (below {limit:g})"),
    "jacobian_above": ("jacobian_most", "tissue grows to {value:.2f} of its volume (above {limit:g})"),
    "deformation_above_mm": ("deformation_most_mm", "tissue moves by {value:.1f} mm (above {limit:g} mm)"),
    "folded_above": ("folded_share", "{value:.2%} of the brain is folded (above {limit:.2%})"),
    "likeness_below": ("likeness_after", "the scans have little in common ({value:.3f}, below {limit:g})"),
}
"""For each threshold, after ``flag_`` or ``refuse_``, the number that it is compared with, and the reason."""


def register_follow_up(
    baseline: Scan, follow_up: Scan, *, clearance_mm: float = CLEARANCE_MM, seed: int = 1
) -> FollowUp:
    """Bring a follow-up to the growth grid of its baseline: rigidly, then by SyN.

    Parameters
    ----------
    baseline
        On its growth grid.
    follow_up
        On its own grid; the same sequence as the baseline's, or one of another contrast.
    clearance_mm
        Nothing is compared in the lesions (tumour and cavity) of both, nor up to so far from them.
    seed
        Of the random sampling.

    Returns
    -------
    FollowUp
        Judge it by `check_follow_up`.

    Raises
    ------
    ImageError
        A brain mask is empty, or a displacement is not finite.
    """
    for scan, which in ((baseline, "baseline"), (follow_up, "follow-up")):
        if not data_of(scan.brain).any():
            raise ImageError(f"{which}: the brain mask is empty; look at the pictures of the brain masks")
    fixed_lesion, moving_lesion = (widened(scan.labels, clearance_mm) for scan in (baseline, follow_up))
    warp = deform(
        baseline.stripped,
        follow_up.stripped,
        kind="rigid",
        fixed_lesion=fixed_lesion,
        moving_lesion=moving_lesion,
        seed=seed,
    )
    inside = data_of(baseline.brain) > 0
    moved = carry_image(follow_up.stripped, baseline.brain, warp)
    brain = carry_mask(follow_up.brain, baseline.brain, warp)
    labels = carry_labels(follow_up.labels, baseline.brain, warp, inside)
    lesions = (data_of(fixed_lesion) > 0) | (data_of(carry_mask(moving_lesion, baseline.brain, warp)) > 0)
    numbers = _numbers(baseline, follow_up, warp, moved, brain, inside & ~lesions)
    return FollowUp(moved, brain, labels, warp, numbers)


def check_follow_up(numbers: FollowUpNumbers, settings: FollowUpSettings) -> tuple[str, ...]:
    """Judge a registered follow-up.

    Returns
    -------
    tuple
        Why a person should look at it, in words; empty where nothing is suspicious.

    Raises
    ------
    ImageError
        It is not to be used; with every reason.
    """
    refused = _reasons(numbers, settings, "refuse_")
    if settings.refuse_less_alike and numbers.likeness_after < numbers.likeness_before:
        refused += (
            f"it is less like the baseline than before ({numbers.likeness_after:.3f} against "
            f"{numbers.likeness_before:.3f})",
        )
    if refused:
        raise ImageError(f"the registration of the follow-up failed: {'; '.join(refused)}; {ADVICE}")
    return _reasons(numbers, settings, "flag_")


def _numbers(  # noqa: PLR0917
    baseline: Scan,
    follow_up: Scan,
    warp: Warp,
    moved: nib.Nifti1Image,
    brain: nib.Nifti1Image,
    healthy: Array,
) -> FollowUpNumbers:
    inside = data_of(baseline.brain) > 0
    fixed = data_of(baseline.stripped)
    as_placed, rigid = (
        data_of(carry_image(follow_up.stripped, baseline.brain, by)) for by in (Warp(), warp.linear)
    )
    before, after_rigid, after = (
        likeness(fixed, image, healthy) for image in (as_placed, rigid, data_of(moved))
    )
    centre = nib.affines.apply_affine(baseline.brain.affine, np.argwhere(inside).mean(axis=0))
    determinant = np.broadcast_to(warp.jacobian(), inside.shape)[inside]
    lengths = np.zeros(1) if warp.displacement is None else _lengths(warp.displacement)[inside]
    return FollowUpNumbers(
        likeness_before=before,
        likeness_rigid=after_rigid,
        likeness_after=after,
        brain_dice=dice(inside, data_of(brain) > 0),
        jacobian_least=float(determinant.min()),
        jacobian_most=float(determinant.max()),
        folded_share=float((determinant <= 0).mean()),
        rotation_degrees=_angle(warp.matrix[:3, :3]),
        shift_mm=float(np.linalg.norm(nib.affines.apply_affine(warp.matrix, centre) - centre)),
        deformation_mean_mm=float(lengths.mean()),
        deformation_most_mm=float(lengths.max()),
    )


def _lengths(displacement: nib.Nifti1Image) -> Array:
    return np.asarray(np.linalg.norm(data_of(displacement)[..., 0, :], axis=-1))


def _angle(rotation: Array) -> float:
    """Return the angle of a rotation in degrees."""
    return float(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))


def _reasons(numbers: FollowUpNumbers, settings: FollowUpSettings, which: str) -> tuple[str, ...]:
    found = []
    for key, (name, saying) in SAYINGS.items():
        limit, value = getattr(settings, which + key, None), getattr(numbers, name)
        if limit is not None and (value < limit if key.endswith("below") else value > limit):
            found.append(saying.format(value=value, limit=limit))
    return tuple(found)
