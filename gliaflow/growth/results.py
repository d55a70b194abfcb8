"""What a growth model gives."""

from dataclasses import asdict, dataclass

from gliaflow.images import Array


@dataclass(frozen=True)
class GrowthLog:
    """How a simulation went.

    Attributes
    ----------
    steps
        Number of time steps.
    step_days
        Length of each.
    stability
        Step divided by the longest that keeps every density in [0, 1]; a Crank-Nicolson step may exceed 1.
    days
        Time reached.
    volume_ml
        Volume with a density above the threshold at that time.
    stopped_by
        ``days``, ``volume``, ``invaded`` (all voxels of interest that can be reached), ``rest`` (nothing
        changes any more) or ``longest`` (`gliaflow.growth.solver.LONGEST_DAYS`).
    threshold
        Density from which a voxel counts as invaded.
    method, device
        What solved it, where.
    """

    steps: int
    step_days: float
    stability: float
    days: float
    volume_ml: float
    stopped_by: str
    threshold: float
    method: str
    device: str

    def as_dict(self) -> dict[str, int | float | str]:
        """Return it as JSON takes it."""
        return asdict(self)


@dataclass(frozen=True)
class GrowthResult:
    """A grown tumour, on the grid of its tissue.

    Attributes
    ----------
    density
        Of tumour cells at the end, in [0, 1], float32, shape (x, y, z); 0 outside the domain.
    time_to_invasion
        Days until the density first exceeds the threshold, float32, shape (x, y, z): 0 inside the start, inf
        where it does not happen before the end.
    log
        How it went.
    """

    density: Array
    time_to_invasion: Array
    log: GrowthLog
