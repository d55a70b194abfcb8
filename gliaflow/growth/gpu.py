"""The explicit step by PyTorch, for a GPU; on the CPU the same, for checks."""

import warnings
from abc import abstractmethod

import numpy as np
import torch

from gliaflow.errors import ConfigError
from gliaflow.growth.diffusion import AXES, ends, matrix
from gliaflow.growth.kernels import FLOOR
from gliaflow.growth.steppers import Problem, Stepper, numbered, spread
from gliaflow.images import Array


def torch_stepper(problem: Problem, device: str) -> Stepper:
    """Return a stepper on a device that PyTorch names, ``cuda`` or ``cpu``.

    Raises
    ------
    ConfigError
        There is no such device.
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ConfigError(f"device: {device}: PyTorch finds no GPU; write cpu, or run it where there is one")
    return (_Grid if problem.isotropic else _Network)(problem, torch.device(device))


class _Torch(Stepper):
    """Everything in every step: a GPU has the bandwidth, and choosing would take longer."""

    def __init__(self, problem: Problem, device: torch.device) -> None:
        super().__init__(problem)
        self._device = device
        self._density = self._send(problem.density)
        self._time = self._send(problem.times)
        self._interest = self._send(problem.interest)

    def _send(self, image: Array) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(image)).to(self._device)

    def _fetch(self, values: torch.Tensor) -> Array:
        return values.cpu().numpy()

    @abstractmethod
    def _diffused(self, density: torch.Tensor) -> torch.Tensor:
        """Return what a step of diffusion adds."""

    def advance(self, now: float) -> bool:
        """Do a step."""
        old, problem = self._density, self.problem
        growth, threshold = (
            float(np.float32(problem.rho * problem.step)),
            float(np.float32(problem.threshold)),
        )
        new = self._diffused(old).add_(old * (1 - old), alpha=growth).add_(old)
        new = torch.where(new > float(FLOOR), new, torch.zeros_like(new))
        above = new > threshold
        first = above & (old <= threshold) & torch.isinf(self._time)
        # voxels that do not cross would divide by 0, and are not read
        crossing = now + problem.step * (threshold - old) / (new - old)
        self._time = torch.where(first, crossing, self._time)
        # one wait for the device a step
        numbers = torch.stack(
            [above.sum(), (first & self._interest).sum(), (new != old).any().long()]
        ).tolist()
        self._density, self.above = new, int(numbers[0])
        self.left -= int(numbers[1])
        return bool(numbers[2])


class _Grid(_Torch):
    def __init__(self, problem: Problem, device: torch.device) -> None:
        super().__init__(problem, device)
        shape = problem.domain.shape
        self._faces = []
        for offset in AXES:
            begin, end = ends(offset, shape)
            faces = self._send(problem.weights[offset][begin] * np.float32(problem.step))
            self._faces.append((begin, end, faces))

    def _diffused(self, density: torch.Tensor) -> torch.Tensor:
        change = torch.zeros_like(density)
        for begin, end, faces in self._faces:
            flow = faces * (density[end] - density[begin])
            change[begin] += flow
            change[end] -= flow
        return change

    def images(self) -> tuple[Array, Array]:
        """Return density and time to invasion."""
        return self._fetch(self._density), self._fetch(self._time)


class _Network(_Torch):
    def __init__(self, problem: Problem, device: torch.device) -> None:
        super().__init__(problem, device)
        index = np.flatnonzero(problem.domain)
        network = matrix(problem.weights, numbered(index, problem.domain.shape)) * np.float32(problem.step)
        starts, ends, weights = (
            self._send(part)
            for part in (network.indptr.astype(np.int64), network.indices.astype(np.int64), network.data)
        )
        self._index = index
        with warnings.catch_warnings():
            # PyTorch says so of any such matrix
            warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state")
            self._weights = torch.sparse_csr_tensor(
                starts, ends, weights, size=network.shape, check_invariants=False
            )
        self._outflow = self._send(np.asarray(network.sum(axis=1), dtype=np.float32).ravel())
        self._density, self._time, self._interest = (
            self._send(image.ravel()[index]) for image in (problem.density, problem.times, problem.interest)
        )

    def _diffused(self, density: torch.Tensor) -> torch.Tensor:
        return self._weights @ density - self._outflow * density

    def images(self) -> tuple[Array, Array]:
        """Return density and time to invasion."""
        shape = self.problem.domain.shape
        return (
            spread(self._fetch(self._density), self._index, shape, 0),
            spread(self._fetch(self._time), self._index, shape, np.inf),
        )
