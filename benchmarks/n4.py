"""The two N4 implementations on one image, in turn, with one thread.

    python benchmarks/n4.py [IMAGE.nii.gz ...]

Without an image, the MNI152 brain that comes with nilearn under a planted bias field. Prints the seconds of
each run, the ratio of the medians, and how much of the planted field is left (coefficient of variation inside
white matter).
"""

import argparse
import os
import statistics
import time
from pathlib import Path

os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"] = "1"

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from gliaflow.images import data_of, new_image, read_image, to_ras
from gliaflow.preprocess.bias import BIAS_METHODS, correct_bias

RUNS = 3


def planted() -> tuple[nib.Nifti1Image, np.ndarray]:
    from nilearn.datasets import load_mni152_template

    image = load_mni152_template(resolution=1)
    values = data_of(image)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in values.shape), indexing="ij")
    field = np.exp(0.3 * x - 0.2 * y * z + 0.2 * z**2)
    return new_image(values * field, image.affine), values > np.percentile(values[values > 0], 70)


def measure(name: str, image: nib.Nifti1Image, white: np.ndarray | None) -> None:
    seconds: dict[str, list[float]] = {method: [] for method in BIAS_METHODS}
    left = {}
    for _ in range(RUNS):
        for method in BIAS_METHODS:
            start = time.perf_counter()
            corrected = correct_bias(image, method=method)
            seconds[method].append(time.perf_counter() - start)
            if white is not None:
                inside = data_of(corrected)[white]
                left[method] = inside.std() / inside.mean()
    for method, runs in seconds.items():
        spread = f", variation {left[method]:.3f}" if left else ""
        print(f"{name} {method}: {', '.join(f'{s:.1f}' for s in runs)} s{spread}")
    medians = {method: statistics.median(runs) for method, runs in seconds.items()}
    print(f"{name} antspyx / simpleitk: {medians['antspyx'] / medians['simpleitk']:.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", nargs="*", type=Path)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    paths = parser.parse_args().images
    for path in paths:
        measure(path.name, to_ras(read_image(path)), None)
    if not paths:
        image, white = planted()
        before = data_of(image)[white]
        print(f"before: variation {before.std() / before.mean():.3f}")
        measure("MNI152", image, white)
