"""Make the bundled head of Colin27: `python -m gliaflow.simulate.colin27 T1 BRAIN OUT`.

T1 and BRAIN are ``ch2.nii.gz`` and ``ch2bet.nii.gz`` as MRIcron ships them (Debian package mricron-data): 27
scans of one person in MNI space (Holmes 1998), and the brain in them. What is kept is no scan, but what
fills each voxel: a `Material` outside the brain, the brightness of a tissue within it.
"""

import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from gliaflow.images import Array, data_of, read_image, to_ras, write_image
from gliaflow.masks import largest_part
from gliaflow.simulate.fields import blob, signed_distance, world_points
from gliaflow.simulate.heads import BRAIN, LEVELS, TISSUE_BRIGHTNESS, Material, sample_template

TISSUE_T1 = (35.0, 84.0, 113.0)
"""T1 signal of CSF, grey and white matter in the average."""
HEAD_T1, AIR_T1, SOFT_T1, MARROW_T1, FAT_T1 = 18.0, 9.0, 27.0, 45.0, 105.0
OPEN_MM, CLOSE_MM, RIM_MM = 2.5, 6.0, 0.8
DEEP_MM, TISSUE_RANGE = 1.0, (64.0, 122.0)
FLUID_MM, VAULT_MM, VAULT_FROM_MM = 2.6, 12.0, -5.0


def anatomy(t1: nib.Nifti1Image, brain: nib.Nifti1Image) -> nib.Nifti1Image:
    """Return the values to store, uint8, on the grid of the scan (RAS+, 1 mm)."""
    signal = data_of(t1)
    inside = envelope((data_of(brain) > 0) | deep_tissue(signal, t1.affine), t1.affine)
    bright = np.interp(signal, TISSUE_T1, TISSUE_BRIGHTNESS) * LEVELS
    values = np.where(inside, BRAIN + np.rint(bright), materials(signal, inside, t1.affine))
    return nib.Nifti1Image(values.astype(np.uint8), t1.affine)


def deep_tissue(signal: Array, affine: Array) -> Array:
    """Return what looks like grey or white matter well within the MNI152 brain, which the mask may cut."""
    points = world_points(affine, signal.shape)
    inside = signed_distance(sample_template(points) > 0.1, affine) < -DEEP_MM
    return inside & (signal > TISSUE_RANGE[0]) & (signal < TISSUE_RANGE[1])


def envelope(brain: Array, affine: Array) -> Array:
    """Return the brain with the fluid in its sulci, bool, as brain extraction usually draws it."""
    core = largest_part(signed_distance(brain, affine) < -OPEN_MM)
    opened = signed_distance(core, affine) < OPEN_MM
    near = signed_distance(opened & brain, affine) < CLOSE_MM
    closed = signed_distance(near, affine) < -CLOSE_MM
    return ndimage.binary_fill_holes(signed_distance(closed | (opened & brain), affine) < RIM_MM)


def materials(signal: Array, brain: Array, affine: Array) -> Array:
    """Tell by T1 signal and place what fills each voxel outside the brain, uint8, `Material`."""
    points = world_points(affine, signal.shape)
    head = head_of(signal, brain, affine)
    depth, from_brain = -signed_distance(head, affine), signed_distance(brain, affine)
    vault = (from_brain < VAULT_MM) & (points[2] > VAULT_FROM_MM)
    face = blob(points, (0, 62, -62), (40, 45, 40)) < 0
    mirrored = np.stack([np.abs(points[0]), points[1], points[2]])
    eye = (blob(mirrored, (33, 57, -37), (14, 14, 14)) < 0) & (signal < 62)
    found = np.full(signal.shape, Material.BONE, dtype=np.uint8)
    found[(signal < AIR_T1) & (points[2] < 20) & (from_brain > 4)] = Material.AIR
    soft = signal > SOFT_T1
    found[soft] = Material.MUSCLE
    found[soft & face & (mirrored[0] < 22)] = Material.MUCOSA
    found[soft & vault] = Material.BONE
    found[vault & (signal > MARROW_T1)] = Material.MARROW
    found[(signal > FAT_T1) | (vault & (depth < 7) & (signal > SOFT_T1))] = Material.FAT
    found[eye] = Material.CSF
    found[(from_brain < FLUID_MM) & (signal < 70)] = Material.CSF
    midline = (mirrored[0] < 4) & (points[2] > -10) & ((points[2] > 45) | (points[1] < -70))
    found[midline & (from_brain < 5)] = Material.VESSEL
    found[(depth < 2.2) & (found != Material.AIR)] = Material.SKIN
    found[~head] = Material.AIR
    return found


def head_of(signal: Array, brain: Array, affine: Array) -> Array:
    """Return where the head is, bool: what is bright, closed over 12 mm, and the brain."""
    bright = ndimage.binary_opening((signal > HEAD_T1) | brain)
    padded = np.pad(largest_part(bright), 20, mode="edge")
    padded[:, :, -20:] = False
    near = signed_distance(padded, affine) < 6
    closed = signed_distance(near, affine) < -6
    return ndimage.binary_fill_holes(closed[20:-20, 20:-20, 20:-20])


def main(arguments: list[str] | None = None) -> int:
    """Write the bundled head."""
    t1, brain, out = map(Path, arguments or sys.argv[1:])
    made = anatomy(to_ras(read_image(t1)), to_ras(read_image(brain)))
    write_image(out, data_of(made, np.uint8), made.affine, np.uint8)
    return 0


if __name__ == "__main__":
    sys.exit(main())
