"""Measure the growth models on a whole brain at 1 mm beside a plain NumPy solver and the machine's bandwidth.

``python benchmarks/growth.py`` grows a tumour for 100 days in 204 steps (D_w 0.13 mm^2/day, D_w/D_g 10, rho
0.025/day) on the SRI24 tissue map, or on nilearn's MNI152 templates where ../shared is absent; a number of
days after it makes it shorter. It uses as many threads as NUMBA_NUM_THREADS says, by default all cores, and a
GPU where PyTorch finds one.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numba
import numpy as np
import torch
from numba import njit, prange

from gliaflow.growth.box import Box
from gliaflow.growth.diffusion import edges
from gliaflow.growth.eikonal import Eikonal
from gliaflow.growth.gpu import torch_stepper
from gliaflow.growth.parameters import Parameters
from gliaflow.growth.results import GrowthResult
from gliaflow.growth.solver import Seed, simulate
from gliaflow.growth.start import start_density
from gliaflow.growth.steppers import GridStepper, NetworkStepper, Problem, Stepper
from gliaflow.growth.tissue import TENSOR_PARTS, Tissue
from gliaflow.images import Array

ATLAS = Path(__file__).resolve().parents[2] / "shared" / "data" / "atlas" / "sri24_tissue_mni152.nii.gz"
PARAMETERS = Parameters(0.13, 0.013, rho=0.025)
FIBRES = Parameters(0.1, 0.01, rho=0.025, tau=0.3)
DAYS, STEPS, THRESHOLD, RUNS, FULL_STEPS = 100.0, 204, 0.5, 5, 10
STEP_BYTES = 20
"""Of a voxel and step: density and three faces read, density written."""


def brain() -> tuple[str, Tissue]:
    if ATLAS.exists():
        classes = np.asarray(nib.load(ATLAS).dataobj)
        white, grey, csf = ((classes == label).astype(np.float32) for label in (3, 2, 1))
        return "SRI24", Tissue(white, grey, csf, classes > 0, (1.0, 1.0, 1.0))
    from nilearn.datasets import load_mni152_gm_template, load_mni152_wm_template

    white, grey = (
        np.clip(np.asarray(load(resolution=1).dataobj, dtype=np.float32), 0, 1)
        for load in (load_mni152_wm_template, load_mni152_gm_template)
    )
    total = np.maximum(white + grey, 1)
    white, grey = white / total, grey / total
    return "MNI152", Tissue(white, grey, np.zeros_like(white), white + grey > 0.1, (1.0, 1.0, 1.0))


def seed_in(tissue: Tissue) -> Seed:
    """The voxel of white matter in the middle of the right hemisphere's."""
    places = np.argwhere(tissue.domain & (tissue.white > 0.9))
    half = places[places[:, 0] > np.median(places[:, 0])]
    nearest = half[np.argmin(((half - half.mean(axis=0)) ** 2).sum(axis=1))]
    return Seed.at_voxel(nearest, tissue.spacing)


def plain(kappa: Array, density: Array, step: float, steps: int) -> Array:
    """The model in plain NumPy, float64."""
    c, faces = density.astype(np.float64), []
    for axis in range(3):
        k = np.moveaxis(kappa.astype(np.float64), axis, 0)
        faces.append(step * 2 * k[1:] * k[:-1] / np.maximum(k[1:] + k[:-1], 1e-30))
    for _ in range(steps):
        change = step * PARAMETERS.rho * c * (1 - c)
        for axis, weights in enumerate(faces):
            values, to = np.moveaxis(c, axis, 0), np.moveaxis(change, axis, 0)
            flow = weights * (values[1:] - values[:-1])
            to[:-1] += flow
            to[1:] -= flow
        c += change
    return c


def timed(function: Callable[[], Any], runs: int = 1) -> tuple[float, float, Any]:
    """Return the shortest wall time, the CPU time of that run, and what the function gives."""
    best = (np.inf, np.inf)
    for _ in range(runs):
        start = (time.perf_counter(), time.process_time())
        result = function()
        best = min(best, (time.perf_counter() - start[0], time.process_time() - start[1]))
    return (*best, result)


@njit(parallel=True)
def copy(source: Array, target: Array) -> None:
    for i in prange(source.size):
        target[i] = source[i]


def bandwidth() -> float:
    """Bytes read and written in a second by a copy with all threads."""
    source = np.ones(50_000_000, dtype=np.float32)
    target = np.zeros_like(source)
    copy(source, target)
    return 2 * source.nbytes / timed(lambda: copy(source, target), RUNS)[0]


def whole_brain(part: Tissue, parameters: Parameters) -> Problem:
    """A density that changes in every voxel."""
    noise = np.random.default_rng(0).uniform(0.1, 0.4, part.brain.shape).astype(np.float32)
    nowhere = np.zeros(part.brain.shape, dtype=bool)
    density = np.where(part.domain, noise, np.float32(0))
    return Problem(
        part.domain, edges(part, parameters), density, nowhere, nowhere, parameters.rho, 0.05, THRESHOLD
    )


def full_step(stepper: Stepper) -> tuple[float, float]:
    stepper.advance(0.0)
    wall, cpu, _ = timed(lambda: [stepper.advance(0.0) for _ in range(FULL_STEPS)], RUNS)
    return wall / FULL_STEPS, cpu / FULL_STEPS


def with_fibres(part: Tissue) -> Tissue:
    """Fibres of all directions that vary slowly, an anisotropy of 0.5."""
    grid = np.indices(part.brain.shape, dtype=np.float32) / 15
    way = np.stack([np.sin(grid[1]), np.sin(grid[2] + 1), np.cos(grid[0])], axis=-1) + 1e-3
    way /= np.linalg.norm(way, axis=-1, keepdims=True)
    tensor = np.empty((*part.brain.shape, 6), dtype=np.float32)
    for number, (a, b) in enumerate(TENSOR_PARTS):
        tensor[..., number] = 0.6 * way[..., "xyz".index(a)] * way[..., "xyz".index(b)] + 0.4 / 3 * (a == b)
    anisotropy = np.full(part.brain.shape, 0.5, dtype=np.float32)
    return Tissue(part.white, part.grey, part.csf, part.brain, part.spacing, anisotropy, tensor)


def row(name: str, wall: float, cpu: float, said: str = "") -> None:
    print(f"| {name} | {wall:.4g} | {cpu:.4g} | {said} |", flush=True)


def cold(days: float) -> tuple[float, float]:
    """Seconds of the first run on a machine, which compiles."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}
        command = [sys.executable, __file__, "--once", str(days)]
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    wall, cpu = (float(value) for value in done.stdout.split())
    return wall, cpu


def on_a_gpu(
    run: Callable[[], GrowthResult],
    off: Callable[[GrowthResult], str],
    plain: float,
    isotropic: Problem,
    fibres: Problem,
) -> None:
    """The same by PyTorch; a step waits for the device, so that its time is whole."""
    run()
    wall, cpu, grown = timed(run, RUNS)
    row("GPU: simulate, next runs", wall, cpu, f"{plain / wall:.0f} times faster; {off(grown)}")
    for name, problem in (("a step of the whole brain", isotropic), ("tensors: a step", fibres)):
        row(f"GPU: {name}", *full_step(torch_stepper(problem, "cuda")))


def main() -> None:
    once = sys.argv[1:2] == ["--once"]
    days = float(sys.argv[-1]) if len(sys.argv) > 1 else DAYS
    steps = round(days / DAYS * STEPS)
    name, tissue = brain()
    seed = seed_in(tissue)

    def run(device: str = "cpu") -> Any:
        return simulate(tissue, seed, PARAMETERS, days=days, step_days=days / steps, device=device)

    if once:
        wall, cpu, _ = timed(run)
        print(wall, cpu)
        return
    box = Box.around(tissue.domain)
    part = box.tissue(tissue)
    density, _ = start_density(part, box.start(seed, tissue.spacing), THRESHOLD)

    def off(grown: GrowthResult) -> str:
        difference = box.cut(grown.density) - expected
        relative = np.linalg.norm(difference) / np.linalg.norm(expected)
        return f"relative difference {relative:.1e}, largest {np.abs(difference).max():.1e}"

    voxels = int(part.domain.sum())
    print(f"{name}: {voxels} of {part.domain.size} voxels are white or grey; {days:g} days, {steps} steps")
    print(f"seed {seed.position} mm, {numba.get_num_threads()} threads\n")
    print("| what | wall s | CPU s | |\n|---|---:|---:|---|")
    plain_wall, plain_cpu, expected = timed(
        lambda: plain(PARAMETERS.kappa(part), density, days / steps, steps)
    )
    row("plain NumPy, float64", plain_wall, plain_cpu, f"{1000 * plain_wall / steps:.0f} ms a step")
    row("simulate, first run of a machine (compiles)", *cold(days))
    wall, cpu, _ = timed(run)
    row("simulate, first run of a process", wall, cpu)
    wall, cpu, grown = timed(run, RUNS)
    said = f"{plain_wall / wall:.0f} times faster, {plain_cpu / cpu:.0f} by CPU; {off(grown)}"
    row("simulate, next runs", wall, cpu, said)
    rate = bandwidth()
    wall, cpu = full_step(GridStepper(whole_brain(part, PARAMETERS)))
    share = STEP_BYTES * voxels / wall / rate
    said = f"{share:.0%} of the copy bandwidth, {rate / 1e9:.1f} GB/s; {1e9 * wall / voxels:.2f} ns a voxel"
    row("a step of the whole brain", wall, cpu, said)
    fibres = with_fibres(part)
    wall, cpu, problem = timed(lambda: whole_brain(fibres, FIBRES))
    row("tensors: preparation", wall, cpu, f"{len(problem.weights)} offsets")
    row("tensors: a step of the whole brain", *full_step(NetworkStepper(problem)))
    if torch.cuda.is_available():
        on_a_gpu(lambda: run("cuda"), off, plain_wall, whole_brain(part, PARAMETERS), problem)
    wall, cpu, ready = timed(lambda: Eikonal(tissue, PARAMETERS))
    row("eikonal: preparation", wall, cpu)
    wall, cpu, times = timed(lambda: ready.time(seed))
    row("eikonal: whole brain", wall, cpu, f"{int(np.isfinite(times).sum())} voxels reached")
    bound = float(np.quantile(times[np.isfinite(times)], 0.05))
    row("eikonal: first twentieth of it", *timed(lambda: ready.time(seed, narrow=bound))[:2])


if __name__ == "__main__":
    main()
