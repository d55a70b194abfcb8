"""PyTorch's step against the compiled one of the CPU; the same code on a GPU where there is one."""

import numpy as np
import pytest
import torch
from growth_grids import along, block, mixed

from gliaflow.errors import ConfigError
from gliaflow.growth.parameters import Parameters
from gliaflow.growth.solver import Seed, simulate

ISOTROPIC, ANISOTROPIC = Parameters(0.13, 0.03, 0.05), Parameters(0.13, 0.03, 0.05, tau=0.4)
BOTH = pytest.mark.parametrize("parameters", [ISOTROPIC, ANISOTROPIC], ids=["isotropic", "tensor"])
CUDA = pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"))


@BOTH
@pytest.mark.parametrize("device", ["torch", CUDA])
def test_it_is_the_step_of_the_cpu(parameters, device):
    tissue = mixed((18, 17, 16), (1.0, 1.0, 1.5))
    start = np.zeros(tissue.brain.shape)
    start[10:14, 7:11, 6:10] = np.where(tissue.domain[10:14, 7:11, 6:10], 0.6, 0)
    one = simulate(tissue, start, parameters, days=40)
    other = simulate(tissue, start, parameters, days=40, device=device)
    assert other.density == pytest.approx(one.density, abs=2e-6)
    both = np.isfinite(one.time_to_invasion) & np.isfinite(other.time_to_invasion)
    assert both.sum() > 50
    assert (np.isfinite(one.time_to_invasion) != np.isfinite(other.time_to_invasion)).sum() <= 2
    assert other.time_to_invasion[both] == pytest.approx(one.time_to_invasion[both], abs=1e-2)
    assert other.log.device == device


@BOTH
@pytest.mark.parametrize("device", ["torch", CUDA])
@pytest.mark.parametrize("stop", [{"volume_ml": 0.2}, {}, {"days": 3000}])
def test_it_stops_as_on_the_cpu(parameters, device, stop):
    tissue = block((9, 8, 7), tensor=along((1, 1, 1)))
    one, other = (
        simulate(tissue, Seed((4.0, 4.0, 3.0)), parameters, **stop, device=where).log
        for where in ("cpu", device)
    )
    assert other.stopped_by == one.stopped_by
    assert other.volume_ml == pytest.approx(one.volume_ml, abs=0.002)
    # what rounding does to the last steps before rest differs
    assert other.steps == pytest.approx(one.steps, rel=0.05, abs=1)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_told():
    with pytest.raises(ConfigError, match="finds no GPU"):
        simulate(block((4, 4, 4)), Seed((2.0, 2.0, 2.0)), ISOTROPIC, days=1, device="cuda")
