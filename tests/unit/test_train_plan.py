"""The plan follows the recipe, and the network that it describes is one that nnU-Net builds and runs."""

import copy
import re
from inspect import signature
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nnunet_files import ARCHITECTURE, CONFIGURATION, PLANS
from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from gliaflow.errors import ConfigError
from gliaflow.nnunet.plans import check_plans
from gliaflow.train.plan import _planner, adapt
from gliaflow.train.recipe import Recipe

PLAIN = PLANS["configurations"][CONFIGURATION]
WITHOUT = ("n_conv_per_stage", "n_conv_per_stage_decoder")
RESIDUAL = PLAIN | {
    "architecture": {
        **ARCHITECTURE,
        "network_class_name": "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet",
        "arch_kwargs": {
            **{key: value for key, value in ARCHITECTURE["arch_kwargs"].items() if key not in WITHOUT},
            "n_blocks_per_stage": [1, 3],
            "n_conv_per_stage_decoder": [1],
        },
    }
}
NARROW = {"base_features": 4, "max_features": 10}


def network_of(configuration):
    """What nnU-Net builds, for two sequences and three regions."""
    plans = PLANS | {"configurations": {CONFIGURATION: configuration}}
    check_plans(plans, "plans.json")
    manager = PlansManager(plans)
    return nnUNetTrainer.build_network_architecture(
        manager, manager.get_configuration(CONFIGURATION), 2, 3, enable_deep_supervision=False
    )


def arguments(configuration):
    return configuration["architecture"]["arch_kwargs"]


@pytest.mark.parametrize("configuration", [PLAIN, RESIDUAL], ids=["plain", "residual"])
def test_a_recipe_that_asks_for_nothing_changes_nothing(configuration):
    assert adapt(configuration, Recipe()) == configuration


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe(batch_size=7),
        Recipe(dropout=0.3),
        Recipe(patch_size=(32, 32, 32), dropout=0.3, batch_size=1, **NARROW),
    ],
)
def test_the_plan_that_is_given_stays_as_it_is(recipe):
    given_plan = copy.deepcopy(PLAIN)
    assert adapt(given_plan, recipe) != given_plan
    assert given_plan == PLAIN


def test_the_batch_alone_changes_alone():
    assert adapt(PLAIN, Recipe(batch_size=7)) == PLAIN | {"batch_size": 7}


@pytest.mark.parametrize(
    ("patch", "strides", "features"),
    [
        ((16, 16, 16), [[1, 1, 1], [2, 2, 2], [2, 2, 2]], [4, 8, 10]),
        ((32, 32, 32), [[1, 1, 1], [2, 2, 2], [2, 2, 2], [2, 2, 2]], [4, 8, 10, 10]),
        ((40, 32, 24), [[1, 1, 1], [2, 2, 2], [2, 2, 2], [2, 2, 1]], [4, 8, 10, 10]),
    ],
)
def test_the_network_is_as_deep_as_the_patch_can_be_halved_golden(patch, strides, features):
    """An edge is halved while it is 8 or more."""
    result = adapt(PLAIN, Recipe(patch_size=patch, **NARROW))
    network, stages = arguments(result), len(strides)
    assert result["patch_size"] == list(patch)
    assert (network["n_stages"], network["strides"]) == (stages, strides)
    assert network["features_per_stage"] == features
    assert network["kernel_sizes"] == [[3, 3, 3]] * stages
    assert network["n_conv_per_stage"] == [1] * stages
    assert network["n_conv_per_stage_decoder"] == [1] * (stages - 1)
    unchanged = set(PLAIN) - {"patch_size", "architecture"}
    assert all(result[key] == PLAIN[key] for key in unchanged)


def test_thick_slices_are_halved_later():
    result = adapt(PLAIN | {"spacing": [4.0, 1.0, 1.0]}, Recipe(patch_size=(16, 64, 64), **NARROW))
    assert arguments(result)["strides"][:3] == [[1, 1, 1], [1, 2, 2], [1, 2, 2]]
    assert arguments(result)["kernel_sizes"][0] == [1, 3, 3]


def test_deeper_stages_have_as_many_blocks_as_the_deepest_that_was_planned():
    network = arguments(adapt(RESIDUAL, Recipe(patch_size=(32, 32, 32), **NARROW)))
    assert network["n_blocks_per_stage"] == [1, 3, 3, 3]
    assert network["n_conv_per_stage_decoder"] == [1, 1, 1]
    assert "n_conv_per_stage" not in network


@pytest.mark.parametrize("configuration", [PLAIN, RESIDUAL], ids=["plain", "residual"])
def test_nnunet_builds_and_runs_the_network(configuration):
    recipe = Recipe(patch_size=(16, 24, 16), dropout=0.25, **NARROW)
    network = network_of(adapt(configuration, recipe))
    dropouts = [module for module in network.modules() if isinstance(module, torch.nn.Dropout3d)]
    assert dropouts
    assert {module.p for module in dropouts} == {0.25}
    with torch.inference_mode():
        assert network(torch.zeros(1, 2, 16, 24, 16)).shape == (1, 3, 16, 24, 16)


def test_without_dropout_the_network_has_none():
    network = network_of(adapt(PLAIN, Recipe(patch_size=(16, 16, 16), **NARROW)))
    assert not [module for module in network.modules() if isinstance(module, torch.nn.Dropout3d)]


def test_a_patch_that_cannot_be_halved_is_told_with_one_that_can():
    with pytest.raises(ConfigError) as caught:
        adapt(PLAIN, Recipe(patch_size=(18, 33, 64), **NARROW))
    assert str(caught.value) == (
        "config, train.patch_size: [18, 33, 64] cannot be halved often enough; write [20, 40, 64]"
    )


@given(
    st.tuples(*[st.integers(16, 200)] * 3), st.sampled_from([(1.0, 1.0, 1.0), (5.0, 1.0, 1.0), (1.0, 0.8, 2)])
)
def test_a_patch_is_taken_as_it_is_or_a_little_larger_one_is_told_that_is(patch, spacing):
    configuration = PLAIN | {"spacing": list(spacing)}
    try:
        result = adapt(configuration, Recipe(patch_size=patch))
    except ConfigError as error:
        told = tuple(int(edge) for edge in re.search(r"write \[(.*)\]$", str(error))[1].split(", "))
        assert all(0 <= larger - edge < edge / 3 for larger, edge in zip(told, patch, strict=True))
        assert told != patch
        patch, result = told, adapt(configuration, Recipe(patch_size=told))
    assert result["patch_size"] == list(patch)
    halved = np.prod(arguments(result)["strides"], axis=0)
    assert not (np.array(patch) % halved).any()
    assert (np.array(patch) // halved >= 4).all()


def deep(**changes):
    """What a recipe of four stages plans."""
    return arguments(adapt(PLAIN, Recipe(patch_size=(32, 32, 32), **NARROW, **changes)))


@pytest.mark.parametrize(
    ("wanted", "encoder", "decoder"),
    [(2, [2, 2, 2, 2], [2, 2, 2]), ((1, 2), [1, 2, 2, 2], [2, 2, 1]), ((3,), [3, 3, 3, 3], [3, 3, 3])],
)
def test_convolutions_are_given_from_the_finest_stage_on(wanted, encoder, decoder):
    network = deep(encoder_convolutions=wanted, decoder_convolutions=wanted)
    assert network["n_conv_per_stage"] == encoder
    assert network["n_conv_per_stage_decoder"] == decoder


def test_the_finest_stage_of_the_network_has_the_first_number_of_convolutions():
    recipe = Recipe(
        patch_size=(16, 16, 16), encoder_convolutions=(1, 2), decoder_convolutions=(3, 1), **NARROW
    )
    network = network_of(adapt(PLAIN, recipe))
    assert [len(stage[-1].convs) for stage in network.encoder.stages] == [1, 2, 2]
    assert [len(stage.convs) for stage in network.decoder.stages] == [1, 3]


def test_more_convolutions_than_stages_are_told():
    with pytest.raises(ConfigError, match=r"train\.decoder_convolutions: \[1, 1, 1, 1\]: .* 3 such stages"):
        deep(decoder_convolutions=(1, 1, 1, 1))


def test_convolutions_are_for_the_standard_preset():
    with pytest.raises(ConfigError, match=r"train\.encoder_convolutions: is for the preset standard"):
        adapt(RESIDUAL, Recipe(encoder_convolutions=2))


@pytest.mark.parametrize(("spacing", "passed"), [(None, None), (2, (2.0, 2.0, 2.0))])
def test_the_planner_is_given_the_spacing(monkeypatch, spacing, passed):
    module = "nnunetv2.experiment_planning.experiment_planners.default_experiment_planner"
    known = signature(ExperimentPlanner)
    made = SimpleNamespace()

    def planner(*args, **kwargs):
        made.arguments = known.bind(*args, **kwargs).arguments
        return made

    monkeypatch.setattr(f"{module}.ExperimentPlanner", planner)
    assert _planner("Dataset001_tiny", Recipe(spacing_mm=spacing)) is made
    assert made.arguments["overwrite_target_spacing"] == passed
