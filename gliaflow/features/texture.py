"""Texture of a region: features of the grey level co-occurrence matrix, by IBSI's definitions and names."""

from itertools import product

import numpy as np

from gliaflow.images import Array

DIRECTIONS = tuple(d for d in product((-1, 0, 1), repeat=3) if d > (0, 0, 0))
"""One of each pair of opposite directions to a voxel's 26 neighbours."""
TEXTURE_MEANINGS = {
    "glcm_joint_maximum": "Joint maximum (IBSI GYBY)",
    "glcm_joint_average": "Joint average (IBSI 60VM)",
    "glcm_joint_variance": "Joint variance (IBSI UR99)",
    "glcm_joint_entropy_bit": "Joint entropy in bit (IBSI TU9B)",
    "glcm_difference_average": "Difference average, which is the dissimilarity (IBSI TF7R)",
    "glcm_difference_variance": "Difference variance (IBSI D3YU)",
    "glcm_difference_entropy_bit": "Difference entropy in bit (IBSI NTRS)",
    "glcm_sum_entropy_bit": "Sum entropy in bit (IBSI P6QZ)",
    "glcm_angular_second_moment": "Angular second moment (IBSI 8ZQL)",
    "glcm_contrast": "Contrast (IBSI ACUI)",
    "glcm_inverse_difference": "Inverse difference (IBSI IB1Z)",
    "glcm_inverse_difference_moment": "Inverse difference moment (IBSI WF0Z)",
    "glcm_inverse_variance": "Inverse variance (IBSI E8JP)",
    "glcm_correlation": "Correlation; empty if all levels are alike (IBSI NI2N)",
    "glcm_cluster_tendency": "Cluster tendency (IBSI DG8W)",
    "glcm_cluster_shade": "Cluster shade (IBSI 7NFM)",
    "glcm_cluster_prominence": "Cluster prominence (IBSI AE86)",
    "glcm_information_correlation_1": "Information correlation 1; empty if all levels are alike (IBSI R8DG)",
    "glcm_information_correlation_2": "Information correlation 2 (IBSI JN9H)",
}


def cooccurrence(levels: Array, bins: int) -> Array | None:
    """Count which levels lie side by side: IBSI's merged 3-D matrix, distance 1, symmetric.

    Parameters
    ----------
    levels
        1 to ``bins`` in the region and 0 outside, integers, shape (x, y, z).
    bins
        Number of levels.

    Returns
    -------
    Array or None
        Probabilities, shape (bins, bins); None where no two voxels of the region are neighbours.

    Examples
    --------
    >>> cooccurrence(np.array([[[1, 1, 2]]]), 2).tolist()
    [[0.5, 0.25], [0.25, 0.0]]
    """
    counts = np.zeros(bins * bins, dtype=np.int64)
    for direction in DIRECTIONS:
        here, there = (
            levels[
                tuple(
                    slice(max(0, s * d), n + min(0, s * d))
                    for d, n in zip(direction, levels.shape, strict=True)
                )
            ]
            for s in (-1, 1)
        )
        both = (here > 0) & (there > 0)
        counts += np.bincount((here[both] - 1) * bins + there[both] - 1, minlength=bins * bins)
    total = counts.sum()
    matrix = counts.reshape(bins, bins)
    return (matrix + matrix.T) / (2 * total) if total else None


def texture_features(matrix: Array | None) -> dict[str, float | None]:
    """Return the keys of `TEXTURE_MEANINGS` of a co-occurrence matrix; all None where there is none.

    Source: IBSI reference manual (arXiv:1612.07003), section 3.6.
    """
    if matrix is None:
        return dict.fromkeys(TEXTURE_MEANINGS)
    levels = np.arange(1, len(matrix) + 1, dtype=float)
    i, j = levels[:, np.newaxis], levels[np.newaxis, :]
    apart, together = np.abs(i - j), i + j
    difference = np.bincount(apart.astype(int).ravel(), weights=matrix.ravel())
    total = np.bincount(together.astype(int).ravel(), weights=matrix.ravel())
    steps = np.arange(len(difference))
    margin = matrix.sum(axis=0)
    mean = float((levels * margin).sum())
    variance = float(((levels - mean) ** 2 * margin).sum())
    dissimilarity = float((steps * difference).sum())
    joint_entropy = entropy(matrix)
    first, second = _information(matrix, margin, joint_entropy)
    unlike = apart > 0
    return {
        "glcm_joint_maximum": float(matrix.max()),
        "glcm_joint_average": mean,
        "glcm_joint_variance": variance,
        "glcm_joint_entropy_bit": joint_entropy,
        "glcm_difference_average": dissimilarity,
        "glcm_difference_variance": float(((steps - dissimilarity) ** 2 * difference).sum()),
        "glcm_difference_entropy_bit": entropy(difference),
        "glcm_sum_entropy_bit": entropy(total),
        "glcm_angular_second_moment": float((matrix**2).sum()),
        "glcm_contrast": float((apart**2 * matrix).sum()),
        "glcm_inverse_difference": float((matrix / (1 + apart)).sum()),
        "glcm_inverse_difference_moment": float((matrix / (1 + apart**2)).sum()),
        "glcm_inverse_variance": float((matrix[unlike] / apart[unlike] ** 2).sum()),
        "glcm_correlation": float(((i - mean) * (j - mean) * matrix).sum() / variance) if variance else None,
        "glcm_cluster_tendency": float(((together - 2 * mean) ** 2 * matrix).sum()),
        "glcm_cluster_shade": float(((together - 2 * mean) ** 3 * matrix).sum()),
        "glcm_cluster_prominence": float(((together - 2 * mean) ** 4 * matrix).sum()),
        "glcm_information_correlation_1": first,
        "glcm_information_correlation_2": second,
    }


def _information(matrix: Array, margin: Array, joint_entropy: float) -> tuple[float | None, float]:
    independent = margin[:, np.newaxis] * margin[np.newaxis, :]
    some = independent > 0
    cross = float(-(matrix[some] * np.log2(independent[some])).sum())
    of_margin = entropy(margin)
    first = (joint_entropy - cross) / of_margin if of_margin else None
    return first, float(np.sqrt(max(0.0, 1 - np.exp(-2 * (entropy(independent) - joint_entropy)))))


def entropy(p: Array) -> float:
    """Return the entropy of probabilities in bit.

    >>> entropy(np.array([0.5, 0.5, 0.0]))
    1.0
    """
    some = p[p > 0]
    return float(-(some * np.log2(some)).sum()) + 0.0
