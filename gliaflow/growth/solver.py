"""Reaction and diffusion: how a tumour grows through healthy tissue."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from gliaflow.errors import ConfigError, ImageError
from gliaflow.growth.box import Box
from gliaflow.growth.diffusion import Edges, edges, ends, outflow
from gliaflow.growth.parameters import Parameters
from gliaflow.growth.results import GrowthLog, GrowthResult
from gliaflow.growth.start import Seed, Start, check_start, start_density
from gliaflow.growth.steppers import CrankNicolsonStepper, GridStepper, NetworkStepper, Problem, Stepper
from gliaflow.growth.tissue import Tissue
from gliaflow.images import Array

__all__ = ["Seed", "simulate"]

METHODS = ("explicit", "crank_nicolson")
DEVICES = ("cpu", "cuda", "torch")
"""``torch`` is what runs on ``cuda``, on the CPU: slower than ``cpu``, for checks."""
SAFETY = {"explicit": 0.8, "crank_nicolson": 2.0}
"""Share of the longest stable explicit step. Up to 2 Crank-Nicolson steps overshoot nowhere either."""
GROWTH = {"explicit": 0.01, "crank_nicolson": 0.1}
"""Most growth in a step, rho times days: an explicit step slows a front by that share of its speed."""
LONGEST_DAYS = 36_500.0
"""A hundred years: where a simulation stops that was not told a time."""
ROUNDING = 1e-9


@dataclass(frozen=True)
class _Stops:
    """When to stop: at a time, a volume in ml, or when no voxel of interest is left."""

    days: float | None
    volume_ml: float | None
    invaded: bool

    def __post_init__(self) -> None:
        for name in ("days", "volume_ml"):
            _positive(name, getattr(self, name))

    def reached(self, stepper: Stepper, now: float, voxel_ml: float) -> str | None:
        """Return why to stop, None if there is no reason."""
        if self.volume_ml is not None and stepper.above * voxel_ml >= self.volume_ml:
            return "volume"
        if self.invaded and not stepper.left:
            return "invaded"
        if now >= (LONGEST_DAYS if self.days is None else self.days) - ROUNDING:
            return "longest" if self.days is None else "days"
        return None


def simulate(
    tissue: Tissue,
    start: Start,
    parameters: Parameters,
    *,
    days: float | None = None,
    volume_ml: float | None = None,
    within: Array | None = None,
    threshold: float = 0.5,
    method: str = "explicit",
    device: str = "cpu",
    step_days: float | None = None,
) -> GrowthResult:
    """Grow a tumour: dc/dt = div(D grad c) + rho c (1 - c), D = kappa I + tau FA T (BrainLes 2021, S8).

    Finite volumes without flux across the border of the tissue's domain; see `gliaflow.growth.diffusion`.
    It ends at the first of the reasons given, and when nothing changes any more. Without any reason it grows
    until all of the domain that it can reach is invaded.

    Parameters
    ----------
    tissue
        Where it grows.
    start
        A `Seed`, a segmentation (bool, in which the density is the threshold), or a density; shape (x, y, z).
    parameters
        How fast.
    days
        Time at which to end.
    volume_ml
        Volume above the threshold at which to end.
    within
        Voxels of interest, bool, shape (x, y, z): it ends when all of them are invaded that it can reach.
    threshold
        A voxel is invaded when its density exceeds it.
    method
        ``explicit``: forward Euler steps, float32, only where the density changes. ``crank_nicolson``: second
        order in time, float64, on the CPU; for checks, and for steps longer than an explicit one may be.
    device
        ``cpu``, or ``cuda`` for a GPU.
    step_days
        Length of a step; by default short enough to be stable and accurate. Adjusted so that a whole number
        of steps ends at `days`.

    Returns
    -------
    GrowthResult
        Density, time to invasion, log.

    Raises
    ------
    ConfigError
        A setting is not possible, an explicit step is too long, tau is above 0 without a tensor, it could
        go on for ever, or there is no such device.
    ImageError
        The start or the voxels of interest do not fit the tissue.

    Examples
    --------
    >>> ones = np.ones((20, 20, 20), dtype=np.float32)
    >>> tissue = Tissue(ones, 0 * ones, 0 * ones, ones > 0, spacing=(1.0, 1.0, 1.0))
    >>> grown = simulate(tissue, Seed((10.0, 10.0, 10.0)), Parameters(0.1, 0.01, rho=0.1), volume_ml=1.0)
    >>> grown.log.stopped_by, round(grown.log.volume_ml, 1)
    ('volume', 1.0)
    """
    stops = _Stops(days, volume_ml, within is not None or (days is None and volume_ml is None))
    _check(threshold, method, device)
    if not parameters.rho and days is None:
        raise ConfigError("rho: 0: nothing grows, so that only a time can end it; give days")
    domain = tissue.domain
    check_start(start, domain, tissue.spacing)
    box = Box.around(domain)
    part = box.tissue(tissue)
    density, invaded = start_density(part, box.start(start, tissue.spacing), threshold)
    weights = edges(part, parameters)
    longest = 1 / max(outflow(weights) + parameters.rho, ROUNDING)
    step = _step(step_days, longest, days, parameters.rho, method)
    interest = box.cut(_interest(domain, within)) if stops.invaded else np.zeros_like(invaded)
    problem = Problem(part.domain, weights, density, invaded, interest, parameters.rho, step, threshold)
    if stops.invaded:
        problem.interest[:] &= _reachable(problem)
    stepper = _stepper(problem, method, device)
    steps, why = _run(stepper, stops, step, tissue.voxel_ml)
    grown, times = stepper.images()
    log = GrowthLog(
        steps=steps,
        step_days=step,
        stability=step / longest,
        days=steps * step,
        volume_ml=stepper.above * tissue.voxel_ml,
        stopped_by=why,
        threshold=threshold,
        method=method,
        device=device,
    )
    return GrowthResult(box.restore(grown, 0), box.restore(times, np.inf), log)


def _run(stepper: Stepper, stops: _Stops, step: float, voxel_ml: float) -> tuple[int, str]:
    """Advance until there is a reason to stop; return the number of steps and the reason."""
    steps = 0
    while (why := stops.reached(stepper, steps * step, voxel_ml)) is None:
        if not stepper.advance(steps * step):
            return steps, "rest"
        steps += 1
    return steps, why


def _stepper(problem: Problem, method: str, device: str) -> Stepper:
    if method == "crank_nicolson":
        return CrankNicolsonStepper(problem)
    if device != "cpu":
        from gliaflow.growth.gpu import torch_stepper

        return torch_stepper(problem, "cpu" if device == "torch" else device)
    return GridStepper(problem) if problem.isotropic else NetworkStepper(problem)


def _step(step_days: float | None, longest: float, days: float | None, rho: float, method: str) -> float:
    step = step_days
    _positive("step_days", step)
    if step is None:
        step = min(SAFETY[method] * longest, GROWTH[method] / rho if rho else math.inf)
    elif method == "explicit" and step > longest * (1 + ROUNDING):
        raise ConfigError(
            f"step_days: {step}: an explicit step of more than {longest:.4g} days is not stable with this "
            "diffusion; write less, or crank_nicolson as method"
        )
    return days / math.ceil(days / step - ROUNDING) if days else step


def _interest(domain: Array, within: Array | None) -> Array:
    if within is None:
        return domain
    if within.shape != domain.shape or within.dtype != bool:
        raise ImageError(
            f"within: is {within.dtype} of shape {within.shape}; give a bool mask of shape {domain.shape}"
        )
    if not (within & domain).any():
        raise ImageError("within: nothing of it lies in white or grey matter")
    return within & domain


def _reachable(problem: Problem) -> Array:
    """Return where density gets to in the end: what edges connect to the start, and the start."""
    begun = problem.density > 0
    # an edge that is longer than a face only follows steps through faces, which are open as well
    parts, _ = ndimage.label(_spreading(problem.weights))
    reached = np.unique(parts[begun])
    return begun | np.isin(parts, reached[reached > 0])


def _spreading(weights: Edges) -> Array:
    """Return which voxels have any edge."""
    found = np.zeros(next(iter(weights.values())).shape, dtype=bool)
    for offset, values in weights.items():
        begin, end = ends(offset, found.shape)
        found |= values > 0
        found[end] |= values[begin] > 0
    return found


def _positive(name: str, value: float | None) -> None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise ConfigError(f"{name}: {value}: is not possible; write a number above 0, or nothing")


def _check(threshold: float, method: str, device: str) -> None:
    if not 0 < threshold < 1:
        raise ConfigError(f"threshold: {threshold}: is not possible; write a number between 0 and 1")
    if method not in METHODS:
        raise ConfigError(f"method: {method}: is not possible; write {' or '.join(METHODS)}")
    if device not in DEVICES:
        raise ConfigError(f"device: {device}: is not possible; write cpu or cuda")
    if method == "crank_nicolson" and device != "cpu":
        raise ConfigError(f"device: {device}: crank_nicolson runs on the CPU only; write cpu, or explicit")
