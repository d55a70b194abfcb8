"""Which of the tuned values are used."""

from gliaflow.fuse.postprocess import post_settings
from gliaflow.train.tune import Tuned
from gliaflow.train.tuning import borne_out, settings_of

BEFORE = {"WT": 0.80, "TC": 0.60, "ET": 0.50}
AFTER = {"WT": 0.81, "TC": 0.65, "ET": 0.60}


def tuned(honest):
    threshold = {"WT": 0.4, "TC": 0.7, "ET": 0.3}
    enhancing = {"rule": "necrosis", "limit_ml": 0.2, "core_ml": 0.0}
    return Tuned(threshold, enhancing, BEFORE, AFTER, honest, [], kept=True)


def test_a_region_is_tuned_only_where_the_other_folds_bear_it_out():
    found = tuned({"WT": 0.75, "TC": 0.62, "ET": 0.55})
    used = borne_out(found)
    assert used == {"WT": False, "TC": True, "ET": True}
    settings = post_settings(settings_of(found, used))
    assert settings.threshold == {"WT": 0.5, "TC": 0.7, "ET": 0.3}
    assert (settings.enhancing.rule, settings.enhancing.limit_ml) == ("necrosis", 0.2)


def test_without_gain_on_the_enhancing_tumour_its_rule_is_off():
    found = tuned({"WT": 0.81, "TC": 0.62, "ET": 0.50})
    settings = post_settings(settings_of(found, borne_out(found)))
    assert settings.threshold["ET"] == 0.5
    assert settings.enhancing.rule == "none"


def test_one_fold_alone_is_judged_by_itself():
    assert all(borne_out(tuned({})).values())
