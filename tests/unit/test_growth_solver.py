"""The growth model against the laws it must keep and against solutions told otherwise.

Golden values: the travelling front's speed is 2 sqrt(D rho) less 3 / (2 lambda t), lambda = sqrt(rho / D)
(Fisher 1937; Bramson, Mem AMS 1983); a mode of the heat equation between closed walls decays as
exp(-D k^2 t); a Gaussian of covariance S under a constant tensor D has the covariance S + 2 D t; a voxel by
itself grows as the logistic function; a seed's Gaussian has the integral (2 pi)^(3/2) sd^3. The reference of
a whole run is the plain NumPy loop below, in float64.
"""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numba
import numpy as np
import pytest
from growth_grids import along, block, mixed, packed
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from gliaflow.errors import ConfigError, ImageError
from gliaflow.growth import steppers
from gliaflow.growth.kernels import use_threads
from gliaflow.growth.parameters import Parameters
from gliaflow.growth.solver import Seed, simulate

ISOTROPIC = Parameters(0.13, 0.03, 0.05)
ANISOTROPIC = Parameters(0.13, 0.03, 0.05, tau=0.4)
BOTH = pytest.mark.parametrize("parameters", [ISOTROPIC, ANISOTROPIC], ids=["isotropic", "tensor"])
SHAPE, SPACING = (20, 18, 22), (1.0, 1.0, 1.5)


def free_voxel(tissue, near):
    """A voxel of the domain by which it goes on in all directions."""
    places = np.argwhere(tissue.domain)
    return tuple(int(i) for i in places[np.argmin(((places - near) ** 2).sum(axis=1))])


def seeded(tissue, near=(12, 9, 10)):
    return Seed.at_voxel(free_voxel(tissue, near), tissue.spacing)


def mass(density):
    return density.sum(dtype=np.float64)


def plain(tissue, density, parameters, step, steps):
    """The isotropic model, as simply as it can be written."""
    c, kappa = density.astype(np.float64), parameters.kappa(tissue).astype(np.float64)
    for _ in range(steps):
        change = parameters.rho * c * (1 - c)
        for axis, size in enumerate(tissue.spacing):
            k, values = np.moveaxis(kappa, axis, 0), np.moveaxis(c, axis, 0)
            with np.errstate(divide="ignore"):
                flow = 2 / (1 / k[1:] + 1 / k[:-1]) * np.diff(values, axis=0) / size**2
            np.moveaxis(change, axis, 0)[:-1] += flow
            np.moveaxis(change, axis, 0)[1:] -= flow
        c = c + step * change
    return c


@BOTH
def test_mass_is_kept_without_growth(parameters):
    tissue = mixed(SHAPE, SPACING)
    start = np.where(tissue.domain, np.random.default_rng(1).random(SHAPE), 0)
    start[:10] = 0
    grown = simulate(tissue, start, replace(parameters, rho=0.0), days=400)
    assert grown.log.steps > 250
    assert mass(grown.density) == pytest.approx(mass(start), rel=1e-5)
    assert np.abs(grown.density - start).max() > 0.5


def test_it_is_the_plain_loop():
    tissue = mixed(SHAPE, SPACING)
    start = np.zeros(SHAPE)
    start[12:16, 8:11, 9:12] = 0.7
    start[~tissue.domain] = 0
    grown = simulate(tissue, start, ISOTROPIC, days=60, step_days=0.5)
    expected = plain(tissue, start, ISOTROPIC, 0.5, 120)
    assert np.linalg.norm(grown.density - expected) < 1e-5 * np.linalg.norm(expected)


def test_a_front_runs_at_fishers_speed():
    """After 300 to 900 days of rho = 0.1 the correction of Bramson is 1.3 % of it, and the step's 0.5 %."""
    length, size, parameters = 760, 0.25, Parameters(0.1, 0.1, rho=0.1)
    start = np.zeros((1, 1, length), dtype=bool)
    start[..., :20] = True
    grown = simulate(block(start.shape, (1.0, 1.0, size)), start, parameters, days=900, step_days=0.05)
    times = grown.time_to_invasion[0, 0].astype(np.float64)
    first, last = np.searchsorted(times, [500, 890])
    speed = (last - first) * size / (times[last] - times[first])
    fisher = 2 * np.sqrt(0.1 * 0.1)
    lag = 1.5 * np.log(times[last] / times[first]) / (times[last] - times[first])
    assert speed == pytest.approx(fisher, rel=0.02)
    assert speed == pytest.approx(fisher - lag, rel=0.01)


def test_the_heat_equation_is_solved_to_second_order():
    errors = []
    for count in (8, 16, 32):
        size = 16 / count
        x, y = np.meshgrid(*[(np.arange(count) + 0.5) * size] * 2, indexing="ij")
        mode = (np.cos(np.pi * x / 16) * np.cos(2 * np.pi * y / 16))[..., np.newaxis]
        tissue, parameters = block(mode.shape, (size, size, 1.0)), Parameters(0.5, 0.5, rho=0.0)
        grown = simulate(
            tissue, 0.5 + 0.4 * mode, parameters, days=10, step_days=0.1, method="crank_nicolson"
        )
        decay = np.exp(-0.5 * 5 * (np.pi / 16) ** 2 * 10)
        errors.append(np.abs(grown.density - 0.5 - 0.4 * mode * decay).max())
    assert errors[0] / errors[1] == pytest.approx(4, abs=0.3)
    assert errors[1] / errors[2] == pytest.approx(4, abs=0.3)


def gaussian(count, size, covariance, scale):
    x, y = np.meshgrid(*[(np.arange(count) + 0.5) * size - count * size / 2] * 2, indexing="ij")
    place = np.stack([x, y], axis=-1)
    exponent = np.einsum("...a,ab,...b", place, np.linalg.inv(covariance), place)
    return scale * np.exp(-exponent / 2)[..., np.newaxis]


@pytest.mark.parametrize("angle", [0, 20, 45, 110])
def test_a_rotated_tensor_rotates_the_gaussian(angle):
    direction = (np.cos(np.radians(angle)), np.sin(np.radians(angle)), 0)
    tensor, parameters = along(direction), Parameters(0.02, 0.02, rho=0.0, tau=0.5)
    covariance = 9 * np.eye(2)
    later = covariance + 2 * 20 * (0.02 * np.eye(3) + 0.5 * tensor)[:2, :2]
    scale = 0.9 * np.sqrt(np.linalg.det(covariance) / np.linalg.det(later))
    errors = []
    for count, size in ((30, 2.0), (60, 1.0)):
        start = gaussian(count, size, covariance, 0.9)
        tissue = block(start.shape, (size, size, 1.0), tensor=tensor)
        grown = simulate(tissue, start, parameters, days=20, step_days=0.5, method="crank_nicolson")
        errors.append(np.abs(grown.density - gaussian(count, size, later, scale)).max() / scale)
    assert errors[1] < 0.015
    assert errors[0] / errors[1] == pytest.approx(4, abs=0.8)


def test_a_tensor_is_followed_on_voxels_that_are_no_cubes():
    """Fibres at 45 degrees between the short and the long side."""
    tensor, parameters = along((1, 1, 0)), Parameters(0.05, 0.05, rho=0.0, tau=0.5)
    later = 16 * np.eye(2) + 2 * 20 * (0.05 * np.eye(3) + 0.5 * tensor)[:2, :2]
    fine = gaussian(60, 1.0, 16 * np.eye(2), 0.9)
    start, expected = (
        image[:, ::2] / 2 + image[:, 1::2] / 2
        for image in (fine, gaussian(60, 1.0, later, 0.9 * 16 / np.sqrt(np.linalg.det(later))))
    )
    tissue = block(start.shape, (1.0, 2.0, 1.0), tensor=tensor)
    grown = simulate(tissue, start, parameters, days=20)
    assert np.abs(grown.density - expected).max() < 0.02 * expected.max()


def test_an_isotropic_tensor_is_the_isotropic_model():
    tissue = mixed(SHAPE, SPACING)
    round_ = replace(
        tissue,
        anisotropy=np.full(SHAPE, 0.6, np.float32),
        tensor=packed(np.ones((*SHAPE, 1, 1)) * np.eye(3) / 3),
    )
    seed = seeded(tissue)
    one = simulate(round_, seed, Parameters(0.13, 0.03, 0.05, tau=0.3), days=40, step_days=0.2)
    more = 0.3 * 0.6 / 3
    other = simulate(tissue, seed, Parameters(0.13 + more, 0.03 + more, 0.05), days=40, step_days=0.2)
    assert one.density == pytest.approx(other.density, abs=1e-6)


@BOTH
@pytest.mark.parametrize("order", [(1, 0, 2), (2, 0, 1)])
def test_turning_the_grid_by_90_degrees_turns_the_result(parameters, order):
    tissue = mixed(SHAPE, SPACING)
    parts = np.arange(9).reshape(3, 3)
    known = np.zeros(9, dtype=int)
    for number, (a, b) in enumerate([(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]):
        known[parts[a, b]] = known[parts[b, a]] = number
    whole = tissue.tensor[..., known].reshape(*SHAPE, 3, 3)[..., order, :][..., :, order]
    turned = replace(
        tissue,
        **{name: getattr(tissue, name).transpose(order) for name in ("white", "grey", "csf", "brain")},
        spacing=tuple(SPACING[axis] for axis in order),
        anisotropy=tissue.anisotropy.transpose(order),
        tensor=packed(whole.transpose(*order, 3, 4)),
    )
    start = np.zeros(SHAPE)
    start[free_voxel(tissue, (12, 9, 10))] = 0.9
    one = simulate(tissue, start, parameters, days=30)
    other = simulate(turned, start.transpose(order), parameters, days=30)
    assert other.density == pytest.approx(one.density.transpose(order), abs=2e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_seed_in_the_middle_grows_alike_on_both_sides(axis):
    grown = simulate(block((13, 15, 17)), Seed((6.0, 7.0, 8.0)), Parameters(0.1, 0.1, 0.1), days=60)
    assert grown.density == pytest.approx(np.flip(grown.density, axis), abs=1e-6)
    assert 0.01 < grown.density.min() < 0.5 < grown.density.max()


@BOTH
def test_nothing_passes_a_wall(parameters):
    """A plane, and a diagonal whose voxels touch by edges only, with the fibres across it."""
    x, y, _ = np.indices((14, 14, 4))
    for level, wall in ((x, 7), (x + y, 13)):
        tissue = block(x.shape, closed=level == wall, tensor=along((1, 1, 0), 0.9))
        grown = simulate(tissue, Seed((2.0, 2.0, 1.0)), parameters)
        behind = level > wall
        assert grown.log.stopped_by == "invaded"
        assert not grown.density[behind].any()
        assert np.isinf(grown.time_to_invasion[behind]).all()
        assert np.isfinite(grown.time_to_invasion[tissue.domain & ~behind]).all()


@BOTH
def test_crank_nicolson_says_the_same(parameters):
    tissue = mixed(SHAPE, SPACING)
    start = np.zeros(SHAPE, dtype=bool)
    start[10:15, 7:12, 8:14] = True
    one = simulate(tissue, start, parameters, days=30, step_days=0.02)
    other = simulate(tissue, start, parameters, days=30, step_days=0.5, method="crank_nicolson")
    assert np.abs(one.density - other.density).max() < 1e-3
    both = np.isfinite(one.time_to_invasion) & np.isfinite(other.time_to_invasion)
    assert both.sum() > 100
    assert other.time_to_invasion[both] == pytest.approx(one.time_to_invasion[both], abs=0.1)


def test_crank_nicolson_is_of_second_order_in_time():
    tissue = mixed(SHAPE, SPACING, tensor=False)
    start = np.where(tissue.domain, 0.5 + 0.3 * np.sin(np.indices(SHAPE).sum(axis=0) / 3), 0)
    runs = [
        simulate(tissue, start, ISOTROPIC, days=16, step_days=step, method="crank_nicolson").density
        for step in (4.0, 2.0, 0.25)
    ]
    errors = [np.linalg.norm(run - runs[-1]) for run in runs[:2]]
    assert errors[0] / errors[1] == pytest.approx(4, abs=0.8)


@BOTH
def test_where_nothing_changes_is_left_out_without_a_difference(parameters, monkeypatch):
    tissue = mixed((30, 20, 140))
    seed = seeded(tissue, (20, 9, 100))
    few = simulate(tissue, seed, parameters, days=40, step_days=0.7)
    for name in ("grid_neighbours", "network_neighbours"):
        tiles = getattr(steppers, name)
        monkeypatch.setattr(
            steppers, name, lambda *given, tiles=tiles: sparse.csr_array(np.ones(tiles(*given).shape))
        )
    full = simulate(tissue, seed, parameters, days=40, step_days=0.7)
    assert few.density.tobytes() == full.density.tobytes()
    assert few.time_to_invasion.tobytes() == full.time_to_invasion.tobytes()


THREADS = """
import json, sys
import numba
sys.path.insert(0, sys.argv[1])
from test_growth_solver import ANISOTROPIC, ISOTROPIC, digest
found = []
for threads in (1, 2, 3):
    numba.set_num_threads(threads)
    found.append([digest(parameters) for parameters in (ISOTROPIC, ANISOTROPIC)])
print(json.dumps(found))
"""


def digest(parameters):
    """Of the bytes of a run over several tiles."""
    tissue = mixed((30, 20, 140))
    grown = simulate(tissue, seeded(tissue, (20, 9, 100)), parameters, days=20, step_days=0.7)
    return hashlib.sha256(grown.density.tobytes() + grown.time_to_invasion.tobytes()).hexdigest()


def test_any_number_of_threads_gives_the_same_bytes():
    done = subprocess.run(
        [sys.executable, "-c", THREADS, str(Path(__file__).parent)],
        env=os.environ | {"NUMBA_NUM_THREADS": "3"},
        capture_output=True,
        text=True,
        check=True,
    )
    one, *others = json.loads(done.stdout)
    assert others == [one, one]


def test_loops_use_as_many_threads_as_asked_for_or_as_there_are():
    most = numba.config.NUMBA_NUM_THREADS
    for asked, used in ((1, 1), (most, most), (most + 7, most)):
        use_threads(asked)
        assert numba.get_num_threads() == used


def test_a_voxel_by_itself_grows_as_the_logistic_function():
    """From 0.1 to 0.5 in ln(9) / rho days; from 0.7 at once; from 0 never."""
    start = np.zeros((3, 1, 1))
    start[:, 0, 0] = 0.1, 0.7, 0.0
    grown = simulate(block(start.shape), start, Parameters(0.0, 0.0, rho=0.05), days=80, step_days=0.1)
    times = grown.time_to_invasion.ravel()
    assert times[0] == pytest.approx(np.log(9) / 0.05, rel=0.005)
    assert times[1] == 0
    assert times[2] == np.inf
    odds = np.exp(0.05 * 80) / 9
    assert grown.density[0, 0, 0] == pytest.approx(odds / (1 + odds), rel=0.005)
    assert grown.time_to_invasion.dtype == grown.density.dtype == np.float32


def test_a_segmentation_starts_at_the_threshold_and_is_invaded():
    start = np.zeros((9, 9, 9), dtype=bool)
    start[3:6, 3:6, 3:6] = True
    grown = simulate(block(start.shape), start, Parameters(0.1, 0.1, 0.01), days=0.001, threshold=0.3)
    assert grown.density[start] == pytest.approx(0.3, abs=1e-3)
    assert ((grown.time_to_invasion == 0) == start).all()


@pytest.mark.parametrize(("size", "place"), [(1.0, 10.0), (1.0, 10.37), (2.0, 10.9)])
def test_a_seed_has_the_same_mass_on_any_grid(size, place):
    count = int(20 / size) + 1
    density = Seed((place,) * 3).density(np.ones((count,) * 3, dtype=bool), (size,) * 3)
    assert density.sum() * size**3 == pytest.approx((2 * np.pi) ** 1.5, rel=1e-3)
    centre = (np.indices(density.shape) * size * density).sum(axis=(1, 2, 3)) / density.sum()
    assert centre == pytest.approx(place, abs=0.02)


def test_it_stops_at_a_time():
    log = simulate(block((9, 9, 9)), Seed((4.0, 4.0, 4.0)), ISOTROPIC, days=7, step_days=0.3).log
    assert (log.stopped_by, log.steps) == ("days", 24)
    assert log.days == pytest.approx(7)
    assert log.stability == pytest.approx(7 / 24 * (6 * 0.13 + 0.05), rel=1e-5)
    assert json.loads(json.dumps(log.as_dict()))["stopped_by"] == "days"


def test_it_stops_at_a_volume():
    tissue, seed = block((15, 15, 15), (1.0, 1.0, 2.0)), Seed((7.0, 7.0, 14.0))
    grown = simulate(tissue, seed, Parameters(0.1, 0.1, 0.1), volume_ml=0.5)
    assert grown.log.stopped_by == "volume"
    assert grown.log.volume_ml == pytest.approx((grown.density > 0.5).sum() * 0.002)
    assert 0.5 <= grown.log.volume_ml < 0.6
    before = simulate(tissue, seed, Parameters(0.1, 0.1, 0.1), days=grown.log.days - grown.log.step_days)
    assert before.log.volume_ml < 0.5
    assert ((grown.time_to_invasion <= grown.log.days) == (grown.density > 0.5)).all()


@BOTH
def test_it_stops_when_the_voxels_of_interest_are_invaded(parameters):
    tissue = block((12, 10, 8), tensor=along((0, 1, 1)))
    within = np.zeros(tissue.brain.shape, dtype=bool)
    within[9, 4, 4] = True
    grown = simulate(tissue, Seed((3.0, 4.0, 4.0)), parameters, within=within)
    assert grown.log.stopped_by == "invaded"
    last = grown.time_to_invasion[9, 4, 4]
    assert grown.log.days - grown.log.step_days <= last <= grown.log.days
    assert np.isinf(grown.time_to_invasion).any()


def test_it_stops_at_rest():
    grown = simulate(block((4, 4, 4)), Seed((1.0, 1.0, 1.0)), Parameters(0.1, 0.1, 0.1), days=3000)
    assert grown.log.stopped_by == "rest"
    assert grown.log.days < 1000
    assert grown.density == pytest.approx(1, abs=1e-4)


def test_images_in_any_order_of_memory_are_the_same():
    tissue = mixed(SHAPE, SPACING)
    other = replace(
        tissue,
        **{name: np.asfortranarray(getattr(tissue, name)) for name in ("white", "grey", "csf", "brain")},
    )
    one, two = (simulate(t, seeded(tissue), ISOTROPIC, days=20) for t in (tissue, other))
    assert one.density.tobytes() == two.density.tobytes()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    parameters=st.builds(Parameters, *[st.floats(0, 1)] * 3, st.one_of(st.just(0.0), st.floats(0.01, 5))),
    method=st.sampled_from(["explicit", "crank_nicolson"]),
)
def test_a_density_stays_one(seed, parameters, method):
    tissue = mixed((6, 5, 7), (1.0, 1.5, 1.0), seed)
    start = np.random.default_rng(seed).integers(0, 2, (6, 5, 7)) * 1.0
    start[free_voxel(tissue, (3, 2, 3))] = 1.0
    grown = simulate(tissue, start, parameters, days=9, method=method)
    assert grown.density.min() >= 0
    assert grown.density.max() <= 1 + 1e-6
    assert not grown.density[~tissue.domain].any()


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    rho=st.floats(0.001, 0.5),
    more=st.floats(0, 0.5),
    tau=st.sampled_from([0.0, 0.3]),
)
def test_faster_growth_invades_no_voxel_later(seed, rho, more, tau):
    tissue = mixed((6, 5, 7), seed=seed)
    start = np.zeros((6, 5, 7), dtype=bool)
    start[free_voxel(tissue, (4, 2, 3))] = True
    slow, fast = (
        simulate(tissue, start, Parameters(0.2, 0.05, speed, tau), days=30, step_days=0.1).time_to_invasion
        for speed in (rho, rho + more)
    )
    assert (fast <= slow * (1 + 1e-4) + 1e-3).all()


TISSUE, MIDDLE = block((6, 6, 6)), Seed((3.0, 3.0, 3.0))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"days": -1}, "days: -1"),
        ({"days": float("nan")}, "days: nan"),
        ({"volume_ml": 0}, "volume_ml: 0"),
        ({"days": 1, "threshold": 1.0}, "threshold: 1.0"),
        ({"days": 1, "method": "euler"}, "method: euler"),
        ({"days": 1, "device": "tpu"}, "device: tpu"),
        ({"days": 1, "device": "cuda", "method": "crank_nicolson"}, "runs on the CPU only"),
        ({"days": 1, "step_days": 0}, "step_days: 0"),
        ({"days": 9, "step_days": 5}, "not stable"),
        ({"volume_ml": 1, "parameters": Parameters(0.1, 0.1, 0.0)}, "give days"),
        ({"days": 1, "parameters": Parameters(0.1, 0.1, 0.1, tau=1)}, "tau"),
    ],
)
def test_impossible_settings_are_refused(options, said):
    parameters = options.pop("parameters", Parameters(0.1, 0.1, 0.1))
    with pytest.raises(ConfigError, match=said):
        simulate(TISSUE, MIDDLE, parameters, **options)


@pytest.mark.parametrize(
    ("start", "within", "said"),
    [
        (Seed((30.0, 3.0, 3.0)), None, "lies outside white and grey matter"),
        (np.zeros((6, 6, 6), dtype=bool), None, "nothing of it lies in"),
        (np.ones((6, 6, 5), dtype=bool), None, r"has the shape \(6, 6, 5\)"),
        (np.full((6, 6, 6), 1.5), None, "outside 0 to 1"),
        (np.full((6, 6, 6), np.nan), None, "outside 0 to 1"),
        (MIDDLE, np.ones((6, 6, 5), dtype=bool), "within: is bool of shape"),
        (MIDDLE, np.ones((6, 6, 6)), "within: is float64"),
        (MIDDLE, np.zeros((6, 6, 6), dtype=bool), "within: nothing of it"),
    ],
)
def test_images_that_do_not_fit_are_refused(start, within, said):
    with pytest.raises(ImageError, match=said):
        simulate(TISSUE, start, ISOTROPIC, days=1, within=within)


@pytest.mark.parametrize("values", [((1.0, 2.0), 1.0), ((1.0, 2.0, np.nan), 1.0), ((1.0, 2.0, 3.0), 0.0)])
def test_impossible_seeds_are_refused(values):
    with pytest.raises(ConfigError, match="seed"):
        Seed(*values)
