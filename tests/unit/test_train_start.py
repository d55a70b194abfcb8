"""A training starts from the weights of a package of the same network, and from no other."""

import copy

import pytest
import torch
from nnunet_files import CONFIGURATION, DATASET, PLANS, checkpoint, manifest, weights

from gliaflow.errors import ConfigError
from gliaflow.nnunet.package import write_package
from gliaflow.train.start import starting_weights

PLAIN = PLANS["configurations"][CONFIGURATION]


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "coarse.zip"
    folds = {"0": checkpoint(0), "1": checkpoint(1)}
    write_package(path, manifest(), plans=PLANS, dataset=DATASET, checkpoints=folds, card="")
    return path


@pytest.mark.parametrize(("fold", "taken"), [(0, 0), (1, 1), (4, 0)])
def test_each_fold_starts_from_the_fold_of_its_number_or_the_first(package, fold, taken):
    found = starting_weights(package, PLAIN, DATASET, fold)
    expected = weights(taken)
    assert list(found) == list(expected)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_spacing_patch_and_dropout_may_differ(package):
    finer = copy.deepcopy(PLAIN) | {"spacing": [1.5] * 3, "patch_size": [32] * 3}
    finer["architecture"]["arch_kwargs"]["dropout_op"] = "torch.nn.Dropout3d"
    assert starting_weights(package, finer, DATASET, 0)


def test_another_network_is_told_with_what_differs(package):
    wider = copy.deepcopy(PLAIN)
    wider["architecture"]["arch_kwargs"]["features_per_stage"] = [4, 8]
    reason = r"train\.start: .*coarse\.zip: .*\(features_per_stage is \[2, 4\], here \[4, 8\]\)"
    with pytest.raises(ConfigError, match=reason):
        starting_weights(package, wider, DATASET, 0)


def test_other_inputs_are_told(package):
    other = DATASET | {"channel_names": {"0": "t1n", "1": "t2f"}}
    with pytest.raises(ConfigError, match=r"channels is \['t1c', 't2f'\], here \['t1n', 't2f'\]"):
        starting_weights(package, PLAIN, other, 0)
