"""Label maps that were made elsewhere: their entries, their files, and the names that the fusion uses."""

from pathlib import Path

import pytest
from session_files import make_session

from gliaflow.config.external import External, check_external_files, check_fusion, external_maps
from gliaflow.config.models import SHIPPED_TABLE, read_models
from gliaflow.config.session import Session
from gliaflow.config.settings import complete_config
from gliaflow.errors import ConfigError

ENTRY = {"name": "other", "path": "others/{cohort}/{subject}_{session}.nii.gz"}


def session(subject: str = "01") -> Session:
    return make_session(subject=subject, session="2")


def read(*entries: dict) -> tuple[External, ...]:
    config = complete_config({"segment": {"external": list(entries)}})
    return external_maps(config, read_models(SHIPPED_TABLE, check_paths=False))


def test_an_entry_has_its_defaults_and_leads_to_a_sessions_file():
    (entry,) = read(ENTRY | {"regions": ["ET", "WT"]})
    assert entry.file(session()) == "others/one/01_2.nii.gz"
    assert (entry.labels, entry.space, entry.regions) == ("gliaflow", "ref", ("WT", "ET"))


WRONG = {
    "name": ({"name": "a-b"}, "name: 'a-b': is not of the form"),
    "a-model's": ({"name": "FLAIRbaseline"}, r"entry 1\).name: 'FLAIRbaseline': is the name of a model"),
    "path": ({"path": "others/{patient}.nii.gz"}, "path: .* is not of the form"),
    "kind": ({"path": "others/{subject}.png"}, "path: .* is not of the form"),
    "labels": ({"labels": "brats"}, "labels: 'brats': is not one of"),
    "regions": ({"regions": ["TC"]}, "regions: .* is not allowed here; write some of WT"),
    "missing": ({"path": None}, "path: null: is not text"),
}


@pytest.mark.parametrize(("change", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_entry_says_what_is_wrong(change, message):
    with pytest.raises(ConfigError, match=message):
        read(ENTRY | change)


def test_a_name_that_comes_twice():
    with pytest.raises(ConfigError, match=r"entry 2\).name: 'Other'"):
        read(ENTRY, ENTRY | {"name": "Other"})


def test_every_file_that_is_missing_is_named(tmp_path: Path):
    entries = read(ENTRY, ENTRY | {"name": "third", "path": "third/{subject}.nii"})
    (tmp_path / "others" / "one").mkdir(parents=True)
    (tmp_path / "others" / "one" / "01_2.nii.gz").touch()
    sessions = [session("01"), session("02")]
    with pytest.raises(ConfigError) as told:
        check_external_files(entries, sessions, tmp_path.joinpath, lambda path: path.name == "02.nii")
    first, *lines = str(told.value).splitlines()
    assert first == "2 mistakes:"
    assert lines[0].startswith("config, segment.external, other: one/02/2: has no file (looked for at ")
    assert "third: one/01/2" in lines[1]


def fusion(**settings: object) -> dict:
    return complete_config({"fuse": settings})


FUSIONS = {
    "unknown": ({"weights": {"flair": 1}}, "fuse.weights: .flair.: is not among what is fused; write a or b"),
    "source": ({"method": "source", "source": {"WT": "c"}}, "fuse.source: '?c'?: is not among"),
    "none": ({"method": "weighted_mean"}, "fuse.method: weighted_mean: needs fuse.weights"),
    "some": ({"method": "weighted", "weights": {"a": 1}}, "fuse.weights: b: has no entry"),
    "regions": ({"method": "source", "source": {"WT": "a"}}, "fuse.source: TC and ET"),
}


@pytest.mark.parametrize(("settings", "message"), FUSIONS.values(), ids=FUSIONS)
def test_the_fusion_names_what_there_is(settings, message):
    with pytest.raises(ConfigError, match=message):
        check_fusion(fusion(**settings), ["a", "b"], ["WT", "TC", "ET"])


def test_a_fusion_that_has_what_it_needs():
    check_fusion(fusion(method="weighted", weights={"a": 1, "b": {"WT": 2}}), ["a", "b"], ["WT"])
    check_fusion(fusion(method="source", source={"WT": "a"}), ["a"], ["WT"])
    check_fusion(fusion(), [], [])
