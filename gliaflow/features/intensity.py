"""First-order statistics of a region's intensities, by IBSI's definitions and names."""

import numpy as np

from gliaflow.images import Array

INTENSITY_MEANINGS = {
    "mean": "Mean (IBSI Q4LE)",
    "variance": "Variance (IBSI ECT3)",
    "skewness": "Skewness, 0 where all values are the same (IBSI KE2A)",
    "kurtosis": "Excess kurtosis, 0 where all values are the same (IBSI IPH6)",
    "median": "Median (IBSI Y12H)",
    "minimum": "Smallest value (IBSI 1GSF)",
    "p10": "Percentile 10 (IBSI QG58)",
    "p90": "Percentile 90 (IBSI 8DWT)",
    "maximum": "Largest value (IBSI 84IY)",
    "interquartile_range": "Percentile 75 less percentile 25 (IBSI SALO)",
    "range": "Largest less smallest value (IBSI 2OJQ)",
    "mean_absolute_deviation": "Mean absolute deviation from the mean (IBSI 4FUA)",
    "robust_mean_absolute_deviation": "The same of the values from percentile 10 to 90 (IBSI 1128)",
    "root_mean_square": "Root mean square (IBSI 5ZWQ)",
}
HISTOGRAM_MEANINGS = {
    "histogram_entropy_bit": "Entropy of the discretised intensities in bit (IBSI TLU2)",
    "histogram_uniformity": "Uniformity of the discretised intensities (IBSI BJ5W)",
}


def intensity_features(values: Array) -> dict[str, float | None]:
    """Return the keys of `INTENSITY_MEANINGS` of intensities, shape (n,); None where there are none.

    Source: IBSI reference manual (arXiv:1612.07003), section 3.3.
    """
    if not values.size:
        return dict.fromkeys(INTENSITY_MEANINGS)
    x = values.astype(np.float64)
    mean, variance = float(x.mean()), float(x.var())
    p10, p25, median, p75, p90 = (float(p) for p in np.percentile(x, (10, 25, 50, 75, 90)))
    low, high = float(x.min()), float(x.max())
    middle = x[(x >= p10) & (x <= p90)]
    scaled = (x - mean) / np.sqrt(variance) if high > low else np.zeros_like(x)
    return {
        "mean": mean,
        "variance": variance,
        "skewness": float((scaled**3).mean()),
        "kurtosis": float((scaled**4).mean()) - 3 if high > low else 0.0,
        "median": median,
        "minimum": low,
        "p10": p10,
        "p90": p90,
        "maximum": high,
        "interquartile_range": p75 - p25,
        "range": high - low,
        "mean_absolute_deviation": float(np.abs(x - mean).mean()),
        "robust_mean_absolute_deviation": float(np.abs(middle - middle.mean()).mean())
        if middle.size
        else None,
        "root_mean_square": float(np.sqrt((x**2).mean())),
    }


def discretise(values: Array, bins: int) -> Array:
    """Return the level of each value, 1 to ``bins``: IBSI's fixed bin number; 1 where all are the same.

    >>> discretise(np.array([0.0, 0.5, 1.0]), 2).tolist()
    [1, 2, 2]
    """
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    if high <= low:
        return np.ones(values.shape, dtype=np.int64)
    levels = np.floor(bins * (values.astype(np.float64) - low) / (high - low)).astype(np.int64) + 1
    return np.clip(levels, 1, bins)


def histogram_features(levels: Array) -> dict[str, float | None]:
    """Return the keys of `HISTOGRAM_MEANINGS` of levels, shape (n,); None where there are none.

    >>> histogram_features(np.array([1, 2, 1, 2]))
    {'histogram_entropy_bit': 1.0, 'histogram_uniformity': 0.5}
    """
    if not levels.size:
        return dict.fromkeys(HISTOGRAM_MEANINGS)
    counts = np.bincount(levels)
    p = counts[counts > 0] / levels.size
    return {
        "histogram_entropy_bit": float(-(p * np.log2(p)).sum()) + 0.0,
        "histogram_uniformity": float((p**2).sum()),
    }
