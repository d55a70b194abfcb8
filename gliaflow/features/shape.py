"""The shape of a region, by the definitions and names of the Image Biomarker Standardisation Initiative."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist
from skimage.measure import marching_cubes, mesh_surface_area

from gliaflow.images import Array
from gliaflow.masks import boxes_round

SHAPE_MEANINGS = {
    "mesh_volume_ml": "Volume within the surface mesh of the {region} in ml (IBSI RNU0)",
    "surface_area_mm2": "Area of the surface mesh of the {region} in mm^2 (IBSI C0JK)",
    "surface_to_volume_ratio_per_mm": "Surface area over mesh volume of the {region} in 1/mm (IBSI 2PR5)",
    "compactness_1": "Compactness 1 of the {region}: V / (sqrt(pi) A^1.5) (IBSI SKGS)",
    "compactness_2": "Compactness 2 of the {region}: 36 pi V^2 / A^3, 1 for a sphere (IBSI BQWJ)",
    "sphericity": "Sphericity of the {region}: (36 pi V^2)^(1/3) / A, 1 for a sphere (IBSI QCFX)",
    "maximum_3d_diameter_mm": "Largest distance between vertices of the {region}'s mesh in mm (IBSI L0JK)",
    "major_axis_length_mm": "4 sqrt(largest eigenvalue of the covariance of the voxels' places) of the "
    "{region} in mm (IBSI TDIC)",
    "minor_axis_length_mm": "The same of the second eigenvalue of the {region} in mm (IBSI P9VJ)",
    "least_axis_length_mm": "The same of the smallest eigenvalue of the {region} in mm (IBSI 7J51)",
    "elongation": "Minor over major axis length of the {region}; empty for a single voxel (IBSI Q3CK)",
    "flatness": "Least over major axis length of the {region}; empty for a single voxel (IBSI N17B)",
}


def shape_features(mask: Array, spacing: Sequence[float]) -> dict[str, float | None]:
    """Measure the shape of a region, all its parts together.

    The mesh is that of marching cubes at 0.5 between voxel centres.

    Parameters
    ----------
    mask
        Bool, shape (x, y, z).
    spacing
        Voxel size along the three axes in mm.

    Returns
    -------
    dict
        With the keys of `SHAPE_MEANINGS`; every value None for an empty mask.

    Source: IBSI reference manual (arXiv:1612.07003), section 3.1.
    """
    boxes = boxes_round(mask, 0)
    if not boxes:
        return dict.fromkeys(SHAPE_MEANINGS)
    inside = np.pad(mask[boxes[0]], 1)
    vertices, faces = _mesh(inside, spacing)
    area = float(mesh_surface_area(vertices, faces))
    volume = mesh_volume(vertices, faces)
    major, minor, least = axis_lengths(inside, spacing)
    return {
        "mesh_volume_ml": volume / 1000,
        "surface_area_mm2": area,
        "surface_to_volume_ratio_per_mm": area / volume,
        "compactness_1": volume / (math.sqrt(math.pi) * area**1.5),
        "compactness_2": 36 * math.pi * volume**2 / area**3,
        "sphericity": (36 * math.pi * volume**2) ** (1 / 3) / area,
        "maximum_3d_diameter_mm": widest(vertices),
        "major_axis_length_mm": major,
        "minor_axis_length_mm": minor,
        "least_axis_length_mm": least,
        "elongation": minor / major if major else None,
        "flatness": least / major if major else None,
    }


def mesh_volume(vertices: Array, faces: Array) -> float:
    """Return the volume within a closed mesh: the sum of the signed tetrahedra of its faces.

    Parameters
    ----------
    vertices
        Shape (n, 3), mm.
    faces
        Indices of their corners, shape (m, 3), all wound alike.

    Returns
    -------
    float
        In mm^3.
    """
    a, b, c = (vertices[faces[:, corner]].astype(np.float64) for corner in range(3))
    return abs(float(np.einsum("ij,ij->", a, np.cross(b, c)))) / 6


def axis_lengths(mask: Array, spacing: Sequence[float]) -> tuple[float, float, float]:
    """Return major, minor and least axis length in mm: 4 sqrt(eigenvalue) of the voxel centres' covariance.

    >>> mask = np.zeros((5, 3, 3), dtype=bool)
    >>> mask[1:4, 1, 1] = True
    >>> [round(length, 3) for length in axis_lengths(mask, (1.0, 1.0, 1.0))]
    [4.0, 0.0, 0.0]
    """
    places = np.argwhere(mask) * np.asarray(spacing)
    values = np.linalg.eigvalsh(np.cov(places.T)) if len(places) > 1 else np.zeros(3)
    least, minor, major = (float(4 * np.sqrt(value)) for value in np.maximum(values, 0))
    return major, minor, least


def widest(points: Array) -> float:
    """Return the largest distance between two points, shape (n, 2 or 3), not all in one line or plane."""
    return float(pdist(points[ConvexHull(points).vertices]).max())


def _mesh(mask: Array, spacing: Sequence[float]) -> tuple[Array, Array]:
    vertices, faces, _, _ = marching_cubes(mask.astype(np.float32), 0.5, spacing=tuple(spacing))
    return vertices, faces
