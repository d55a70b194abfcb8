"""What the config's section train means for each target."""

import pytest

from gliaflow.config.settings import complete_config
from gliaflow.errors import ConfigError
from gliaflow.train.recipe import recipe_from, recipe_keys, trained_folds, training_settings


def section(**train):
    return complete_config({"train": train})["train"]


def test_a_tumour_is_trained_as_the_config_says():
    train = section(sequences=["t1c"], regions=["WT"])
    assert training_settings(train) == train


def test_for_the_brain_tumour_settings_do_not_count():
    train = training_settings(section(target="brain", sequences=["t1c"], sequence_dropout=0.3))
    assert (train["sequences"], train["regions"]) == (["any"], ["brain"])
    assert (train["sequence_dropout"], train["tuning_trials"], train["spacing_mm"]) == (0, 0, 2.0)
    assert training_settings(section(target="brain", spacing_mm=1.5))["spacing_mm"] == 1.5


def test_the_config_has_every_key_of_a_recipe():
    train = section()
    assert set(recipe_keys()) <= set(train)
    assert recipe_from(train, 1).encoder_convolutions is None


@pytest.mark.parametrize(("wanted", "folds"), [(None, [0, 1, 2]), (1, [0]), (3, [0, 1, 2])])
def test_the_first_folds_are_trained(wanted, folds):
    assert list(trained_folds(section(folds=3, folds_trained=wanted))) == folds


def test_more_folds_than_there_are_cannot_be_trained():
    with pytest.raises(ConfigError, match=r"train\.folds_trained: 4: is more than train\.folds, 3"):
        trained_folds(section(folds=3, folds_trained=4))
