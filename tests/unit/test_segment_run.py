"""A loaded segmenter works through its sessions; one that fails says so and holds up no other."""

import json
import runpy
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

from gliaflow.config.settings import complete_config
from gliaflow.errors import ConfigError, ImageError
from gliaflow.images import read_image, write_image
from gliaflow.segment.members import FAILED, MODEL_FACTS, read_members, read_model_facts
from gliaflow.segment.run import Task, segment_session, segment_sessions
from gliaflow.segment.segmenters import Entry, FlairBaseline, Member, entry_of, load_segmenter

SHAPE = (20, 22, 18)
AFFINE = np.diag([4.0, 4.0, 4.0, 1.0])
ENTRY = Entry("flairbaseline", ("t2f",), ("WT",))
COMMON = {"entry": ENTRY, "space": "MNI152", "settings": {"threshold": 0.95}}
PROBED = {"Precision": "float32", "Folds": ["0"], "Postprocess": {"fill_holes": True}}


class Probe:
    """A segmenter of two members, which takes the mean of the images for a probability."""

    def __init__(self):
        self.facts, self.seen = PROBED, []

    def members(self, images, mask):
        self.seen.append(sorted(images))
        for fold in "01":
            mean = np.mean([np.asarray(image.dataobj) for image in images.values()], axis=0)
            yield Member(np.stack([mean] * 3, axis=-1), {"Fold": fold})


def write_session(folder, name, seed=0, *, sequences=("t2f",)):
    """A brain with a bright corner; the images have values below 1."""
    folder.mkdir(exist_ok=True)
    mask = np.zeros(SHAPE)
    mask[2:-2, 2:-2, 2:-2] = 1
    image = np.random.default_rng(seed).uniform(0.1, 0.4, SHAPE) * mask
    image[4:10, 4:10, 4:10] += 0.5
    write_image(folder / f"{name}_mask.nii.gz", mask, AFFINE, np.uint8)
    images = {sequence: str(folder / f"{name}_{sequence}.nii.gz") for sequence in sequences}
    for path in images.values():
        write_image(path, image, AFFINE)
    return Task(name, images, str(folder / f"{name}_mask.nii.gz"))


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def baseline():
    return FlairBaseline(ENTRY, COMMON["settings"])


def test_a_session_becomes_a_folder_of_members(tmp_path):
    task = write_session(tmp_path / "in", "one")
    segment_session(baseline(), task, tmp_path / "out", **COMMON)
    assert set(content(tmp_path / "out")) == {
        "member-1_probseg.nii.gz",
        "member-1_probseg.json",
        MODEL_FACTS,
    }
    (member,) = read_members([tmp_path / "out"], read_image(task.mask))
    assert member.shape == (*SHAPE, 1)
    assert (member[5:9, 5:9, 5:9] > 0.5).all()
    assert member[0].max() < 0.01, "nothing outside the brain"
    assert read_model_facts(tmp_path / "out") == {"Members": 1}


def test_members_and_facts_say_what_made_them(tmp_path):
    task = write_session(tmp_path / "in", "one", sequences=("t1c", "t2f"))
    entry = Entry("probe", ("t1c", "t2f"), ("WT", "TC", "ET"))
    segment_session(Probe(), task, tmp_path / "out", entry=entry, space="SRI24", settings={"seed": 3})
    assert read_model_facts(tmp_path / "out") == {**PROBED, "Members": 2}
    said = json.loads((tmp_path / "out" / "member-2_probseg.json").read_text())
    assert (said["Member"], said["Fold"], said["Regions"]) == ("2", "1", ["WT", "TC", "ET"])
    assert said["Parameters"] == {"model": "probe", "seed": 3}


def test_a_shared_run_writes_for_every_session_what_a_run_of_its_own_does(tmp_path):
    tasks = [write_session(tmp_path / "in", name, seed) for seed, name in enumerate(("a", "b", "c"))]
    segment_sessions(baseline(), tasks, tmp_path / "shared", **COMMON)
    assert sorted(path.name for path in (tmp_path / "shared").iterdir()) == ["a", "b", "c"]
    for task in tasks:
        alone = tmp_path / "alone" / task.name
        segment_session(baseline(), task, alone, **COMMON)
        assert content(tmp_path / "shared" / task.name) == content(alone)
    assert content(tmp_path / "shared" / "a") != content(tmp_path / "shared" / "b")


def test_a_session_that_fails_says_why_and_the_others_go_on(tmp_path):
    first, broken, last = (write_session(tmp_path / "in", name) for name in ("first", "broken", "last"))
    (tmp_path / "in" / "broken_t2f.nii.gz").write_bytes(b"no image")
    segment_sessions(baseline(), [first, broken, last], tmp_path / "out", **COMMON)
    for name in ("first", "last"):
        assert read_model_facts(tmp_path / "out" / name) == {"Members": 1}
        assert not (tmp_path / "out" / name / FAILED).exists()
    with pytest.raises(ImageError, match=r"broken_t2f\.nii\.gz"):
        read_model_facts(tmp_path / "out" / "broken")
    assert set(content(tmp_path / "out" / "broken")) == {FAILED}


def test_alone_a_session_that_fails_stops_its_job(tmp_path):
    task = write_session(tmp_path / "in", "one")
    (tmp_path / "in" / "one_mask.nii.gz").unlink()
    with pytest.raises(ImageError, match=r"one_mask\.nii\.gz"):
        segment_session(baseline(), task, tmp_path / "out", **COMMON)


def test_a_segmenter_that_gives_no_probabilities_fails_its_session_alone(tmp_path):
    """The members that were written before the failure are not taken for the ensemble."""

    class Late(Probe):
        def members(self, images, mask):
            yield Member(np.full((*SHAPE, 3), 0.5))
            if len(self.seen) == 0:
                self.seen.append("first session")
                yield Member(np.full((*SHAPE, 3), 1.5))

    tasks = [write_session(tmp_path / "in", name) for name in ("a", "b")]
    entry = Entry("late", ("t2f",), ("WT", "TC", "ET"))
    segment_sessions(Late(), tasks, tmp_path / "out", entry=entry, space="MNI152", settings={})
    with pytest.raises(ImageError, match=r"member-2.*no probabilities"):
        read_model_facts(tmp_path / "out" / "a")
    assert read_model_facts(tmp_path / "out" / "b")["Members"] == 1


def test_a_mistake_of_the_program_is_not_taken_for_one_of_the_data(tmp_path):
    class Wrong(Probe):
        def members(self, images, mask):
            raise KeyError("t2f")

    with pytest.raises(KeyError):
        segment_sessions(Wrong(), [write_session(tmp_path / "in", "a")], tmp_path / "out", **COMMON)


def test_only_the_images_of_the_session_are_given_to_the_model(tmp_path):
    probe = Probe()
    tasks = [
        write_session(tmp_path / "in", "a", sequences=("t1c", "t2f")),
        write_session(tmp_path / "in", "b", sequences=("t2f",)),
    ]
    entry = Entry("probe", ("t1c", "t2f"), ("WT", "TC", "ET"), optional=("t1c",))
    segment_sessions(probe, tasks, tmp_path / "out", entry=entry, space="MNI152", settings={})
    assert probe.seen == [["t1c", "t2f"], ["t2f"]]


def test_an_entry_is_made_of_what_a_rule_knows_of_a_model():
    values = {"kind": "nnunet", "name": "tiny", "sequences": ["t1c"], "optional": [], "regions": ["WT"]}
    values |= {"sha256": None, "labels": "nnunet", "orientation": "LPS", "configuration": None}
    entry = entry_of({**values, "atlas": "SRI24"}, ["model.zip"])
    assert (entry.name, str(entry.path)) == ("tiny", "model.zip")
    assert (entry.sequences, entry.optional, entry.regions) == (("t1c",), (), ("WT",))
    assert (entry.labels, entry.orientation, entry.atlas) == ("nnunet", "LPS", "SRI24")
    assert entry_of({**values, "atlas": "any"}, []).path is None


def test_a_trained_model_without_a_file_is_told():
    with pytest.raises(ConfigError, match=r"^model tiny: has no file; write its path or url"):
        load_segmenter("nnunet", Entry("tiny", ("t1c",), ("WT",)), {"threads": 1})


def test_the_script_runs_the_baseline_as_the_rule_calls_it(tmp_path, monkeypatch, repository):
    """With the config's own settings for this kind of model, which know no threads."""
    monkeypatch.setattr("gliaflow.job.job", lambda log, name: nullcontext())
    task = write_session(tmp_path / "in", "one")
    entry = {"kind": "flair_baseline", "name": "flairbaseline", "sequences": ["t2f"], "optional": []}
    entry |= {"regions": ["WT"], "sha256": None, "labels": "gliaflow", "orientation": "RAS"}
    called = SimpleNamespace(
        log=["log.txt"],
        threads=1,
        input=SimpleNamespace(images=list(task.images.values()), mask=task.mask, model=[]),
        output=SimpleNamespace(members=str(tmp_path / "out")),
        params=SimpleNamespace(
            name="one",
            space="MNI152",
            inputs=["t2f"],
            entry={**entry, "configuration": None, "atlas": "any"},
            settings=complete_config({})["segment"]["flair_baseline"],
        ),
    )
    runpy.run_path(str(repository / "scripts" / "segment.py"), init_globals={"snakemake": called})
    assert read_model_facts(tmp_path / "out") == {"Members": 1}
