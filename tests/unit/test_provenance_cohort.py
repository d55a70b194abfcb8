"""The provenance of results: told of what ran, complete, and without paths of the machine."""

import hashlib
import json
import logging
import os
import subprocess
from base64 import urlsafe_b64encode
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prov.model import ProvDocument

from gliaflow.errors import ConfigError
from gliaflow.images import write_image
from gliaflow.provenance.cohort import tell_provenance
from gliaflow.provenance.description import config_sha256, describe_dataset, git_revision
from gliaflow.provenance.private import HIDDEN, literal_without_paths, without_paths
from gliaflow.provenance.records import jobs_of, read_records
from gliaflow.provenance.state import state_of
from gliaflow.sidecar import write_json, write_sidecar

SCAN = "/data/Doe^Jane/t1c.nii.gz"
CELL = "samples.tsv, one/01/1, column t1c"
ANAT = "results/one/sub-01/ses-1/anat/sub-01_ses-1"
NATIVE, IN_REF = f"{ANAT}_t1c.nii.gz", f"{ANAT}_space-ref_t1c.nii.gz"
MEMBERS = "results/one/sub-01/ses-1/seg/sub-01_ses-1_space-MNI152_model-mine_members"
PROBABILITY = "results/one/sub-01/ses-1/seg/sub-01_ses-1_space-MNI152_probseg.nii.gz"
OWN = "results/one/provenance.json"
REFERENCES = {
    "used": {"prov:activity": "activity", "prov:entity": "entity"},
    "wasGeneratedBy": {"prov:activity": "activity", "prov:entity": "entity"},
    "wasAssociatedWith": {"prov:activity": "activity", "prov:agent": "agent"},
    "wasAttributedTo": {"prov:entity": "entity", "prov:agent": "agent"},
    "wasDerivedFrom": {"prov:generatedEntity": "entity", "prov:usedEntity": "entity"},
    "hadMember": {"prov:collection": "entity", "prov:entity": "entity"},
}


def keep(root: Path, rule: str, inputs: list[str], outputs: list[str], **more: object) -> None:
    """Keep a record of a job as Snakemake does, long names in folders."""
    ends = [(root / path).stat().st_mtime for path in outputs if (root / path).exists()]
    record = {
        "rule": rule,
        "input": inputs,
        "log": [f"logs/{rule}/one/sub-01_ses-1.log"],
        "params": ["'one/sub-01/ses-1'"],
        "starttime": 1_790_000_000.5,
        "endtime": max(ends, default=1_790_000_010.0),
        "incomplete": False,
        "job_hash": 7,
        "input_checksums": {},
        **more,
    }
    for output in outputs:
        name = urlsafe_b64encode(output.encode()).decode()
        parts = [name[start : start + 60] for start in range(0, len(name), 60)]
        place = root.joinpath(".snakemake", "metadata", *(f"@{part}" for part in parts[:-1]), parts[-1])
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(record))


def image(root: Path, path: str, sources: list[str], value: int, **more: object) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    write_image(root / path, np.full((3, 3, 3), value), np.eye(4), np.uint8)
    known = {"space": "ref", "parameters": {"size": value}, **more}
    write_sidecar(root / path, sources=sources, **known)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A session that was converted, resampled and segmented by a network whose members are gone."""
    image(tmp_path, NATIVE, [CELL], 1, software=["nipype"])
    image(tmp_path, IN_REF, [NATIVE], 2, software=["SimpleITK"])
    facts = {"Model": "mine", "ModelSha256": "a" * 64, "NetworkSoftware": {"torch": "2.13.0+cpu"}}
    image(tmp_path, PROBABILITY, [MEMBERS], 3, **facts)
    sidecars = [path.replace(".nii.gz", ".json") for path in (NATIVE, IN_REF, PROBABILITY)]
    keep(tmp_path, "convert", [SCAN], [NATIVE, sidecars[0]], params=[repr(SCAN), "{'min_slices': 8}"])
    checksum = hashlib.sha256((tmp_path / NATIVE).read_bytes()).hexdigest()
    known = {"input_checksums": {NATIVE: f"sha256:{checksum}"}}
    keep(tmp_path, "resample_ref", [NATIVE], [IN_REF, sidecars[1]], **known)
    keep(tmp_path, "segment", [IN_REF], [MEMBERS])
    keep(tmp_path, "fuse", [MEMBERS], [PROBABILITY, sidecars[2]])
    benchmark = tmp_path / "benchmarks" / "convert" / "one" / "sub-01_ses-1.tsv"
    benchmark.parent.mkdir(parents=True)
    benchmark.write_text("s\th:m:s\tmax_rss\tcpu_time\n3.5\t0:00:03\t120.25\tNA\n")
    return tmp_path


def tell(root: Path, **called: str) -> dict:
    kept = root / ".snakemake" / "metadata"
    return tell_provenance("one", root, kept, {SCAN: CELL, **called}, besides=OWN)


def pairs(told: dict, kind: str) -> set[tuple[str, ...]]:
    """What a kind of relation binds."""
    return {tuple(relation[key] for key in REFERENCES[kind]) for relation in told[kind].values()}


def numberless(told: dict) -> dict:
    """The content without the numbers that the relations are written by, which every writing gives anew."""
    relations = {kind: sorted(map(json.dumps, told[kind].values())) for kind in REFERENCES if kind in told}
    return {**told, **relations}


def check_structure(told: dict) -> None:
    """Fail where a relation names what is not told of, or the prov library reads something else."""
    assert set(told) - {"prefix", "entity", "activity", "agent"} <= set(REFERENCES)
    for kind, ends in REFERENCES.items():
        for relation in told.get(kind, {}).values():
            assert not {key: relation[key] for key, to in ends.items() if relation[key] not in told[to]}
    again = ProvDocument.deserialize(content=json.dumps(told), format="json")
    assert numberless(json.loads(again.serialize(format="json"))) == numberless(told)
    assert len(again.get_records()) == sum(len(told[key]) for key in set(told) - {"prefix"})


def test_every_file_is_an_entity_with_its_checksum(root: Path) -> None:
    told = tell(root)
    check_structure(told)
    files = [path for path in (root / "results").rglob("*") if path.is_file()]
    assert len(files) == 6
    for path in files:
        entity = told["entity"][f"run:{path.relative_to(root).as_posix()}"]
        assert entity["gliaflow:sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert told["entity"][f"run:{NATIVE}"]["prov:type"]["$"] == "gliaflow:Image"
    assert told["entity"][f"run:{NATIVE}"]["gliaflow:parameters"] == '{"size": 1}'


def test_jobs_take_and_make_files_and_the_chain_leads_to_what_was_given(root: Path) -> None:
    told = tell(root)
    cell = "given:samples.tsv%2C%20one/01/1%2C%20column%20t1c"
    names = {rule: f"job:{rule}/one/sub-01_ses-1" for rule in ("convert", "resample_ref", "segment", "fuse")}
    assert set(told["activity"]) == set(names.values())
    assert pairs(told, "used") == {
        (names["convert"], cell),
        (names["resample_ref"], f"run:{NATIVE}"),
        (names["segment"], f"run:{IN_REF}"),
        (names["fuse"], f"run:{MEMBERS}"),
    }
    assert (names["convert"], f"run:{NATIVE}") in pairs(told, "wasGeneratedBy")
    assert (names["segment"], f"run:{MEMBERS}") in pairs(told, "wasGeneratedBy")
    assert len(told["wasGeneratedBy"]) == 7
    assert (f"run:{NATIVE}", cell) in pairs(told, "wasDerivedFrom")
    assert told["entity"][cell]["prov:label"] == CELL


def test_a_job_tells_rule_parameters_times_and_what_it_used_up(root: Path) -> None:
    job = tell(root)["activity"]["job:convert/one/sub-01_ses-1"]
    assert job["gliaflow:rule"] == "convert"
    assert job["gliaflow:parameter"] == ["'(path)'", "{'min_slices': 8}"]
    assert job["prov:startTime"] == "2026-09-21T14:13:20.500000+00:00"
    assert job["gliaflow:seconds"] == {"$": "3.5", "type": "xsd:double"}
    assert job["gliaflow:maxRssMb"] == {"$": "120.25", "type": "xsd:double"}
    assert "gliaflow:cpuSeconds" not in job


def test_software_and_models_are_agents_of_what_they_did(root: Path) -> None:
    told = tell(root)
    fuse, segment = "job:fuse/one/sub-01_ses-1", "job:segment/one/sub-01_ses-1"
    torch = "software:torch@2.13.0%2Bcpu"
    assert told["agent"][torch]["gliaflow:version"] == "2.13.0+cpu"
    assert (segment, torch) in pairs(told, "wasAssociatedWith")
    assert (fuse, torch) not in pairs(told, "wasAssociatedWith")
    assert pairs(told, "wasAttributedTo") == {(f"run:{PROBABILITY}", "model:mine@aaaaaaaaaaaa")}
    assert told["agent"]["model:mine@aaaaaaaaaaaa"]["gliaflow:sha256"] == "a" * 64


def test_what_is_there_no_more_has_no_checksum(root: Path) -> None:
    entity = tell(root)["entity"][f"run:{MEMBERS}"]
    assert entity["gliaflow:removed"] is True
    assert "gliaflow:sha256" not in entity


def test_no_path_of_the_machine_is_told(root: Path) -> None:
    text = json.dumps(tell(root))
    assert not [part for part in (str(root), "/data", "Doe", "Jane") if part in text]


def test_the_same_results_have_the_same_provenance(root: Path) -> None:
    assert json.dumps(tell(root)) == json.dumps(tell(root))


def test_a_file_that_nobody_named_is_told_by_its_checksum(root: Path, tmp_path_factory) -> None:
    given = tmp_path_factory.mktemp("Doe^John") / "atlas.nii.gz"
    given.write_bytes(b"an atlas")
    keep(root, "resample_ref", [NATIVE, str(given)], [IN_REF, IN_REF.replace(".nii.gz", ".json")])
    told = tell(root)
    check_structure(told)
    label = f"a file with sha256 {hashlib.sha256(b'an atlas').hexdigest()[:16]}"
    assert label in {entity["prov:label"] for entity in told["entity"].values()}
    assert "John" not in json.dumps(told)


def test_files_in_a_folder_that_a_job_made_are_its_members(root: Path) -> None:
    image(root, f"{MEMBERS}/member-1_probseg.nii.gz", [IN_REF], 9)
    told = tell(root)
    check_structure(told)
    member = f"run:{MEMBERS}/member-1_probseg.nii.gz"
    assert (f"run:{MEMBERS}", member) in pairs(told, "hadMember")
    assert ("job:segment/one/sub-01_ses-1", member) in pairs(told, "wasGeneratedBy")
    assert told["entity"][f"run:{MEMBERS}"]["prov:type"]["$"] == "gliaflow:Folder"


def test_a_file_changed_after_its_job_is_marked_and_told(root: Path, caplog) -> None:
    os.utime(root / IN_REF, (2e9, 2e9))
    image(root, NATIVE, [CELL], 5)
    with caplog.at_level(logging.WARNING):
        told = tell(root)
    assert told["entity"][f"run:{IN_REF}"]["gliaflow:changedAfterJob"] is True
    assert f"{NATIVE}: is not what resample_ref/one/sub-01_ses-1 used" in caplog.text


def test_a_file_without_a_record_has_no_job(root: Path) -> None:
    (root / "results/one/notes.txt").write_text("by hand")
    told = tell(root)
    assert "run:results/one/notes.txt" in told["entity"]
    assert "run:results/one/notes.txt" not in {entity for _, entity in pairs(told, "wasGeneratedBy")}


def test_other_cohorts_are_named_and_not_followed(root: Path) -> None:
    other = "results/two/sub-09/ses-1/anat/sub-09_ses-1_t1c.nii.gz"
    image(root, other, ["samples.tsv, two/09/1, column t1c"], 4)
    keep(root, "convert", ["/data/other.nii"], [other], log=["logs/convert/two/sub-09_ses-1.log"])
    keep(root, "resample_ref", [NATIVE, other], [IN_REF, IN_REF.replace(".nii.gz", ".json")])
    told = tell(root)
    check_structure(told)
    assert f"run:{other}" in told["entity"]
    assert not [name for name in told["activity"] if "two" in name]


def test_jobs_that_did_not_end_are_not_told(root: Path) -> None:
    keep(root, "resample_ref", [NATIVE], [IN_REF, IN_REF.replace(".nii.gz", ".json")], incomplete=True)
    assert "job:resample_ref/one/sub-01_ses-1" not in tell(root)["activity"]


def test_a_job_that_ran_again_and_left_an_old_file_is_two(root: Path) -> None:
    keep(root, "convert", [SCAN], [NATIVE], job_hash=8)
    jobs = jobs_of(read_records(root / ".snakemake" / "metadata"))
    assert {jobs[NATIVE].name, jobs[NATIVE.replace(".nii.gz", ".json")].name} == {
        "convert/one/sub-01_ses-1",
        "convert/one/sub-01_ses-1-2",
    }


def test_a_folder_where_nothing_ran_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nothing is known of what ran"):
        read_records(tmp_path / ".snakemake" / "metadata")


def test_a_record_that_is_none_is_named(root: Path) -> None:
    broken = root / ".snakemake" / "metadata" / urlsafe_b64encode(b"results/x").decode()
    broken.write_text("{")
    with pytest.raises(ConfigError, match="no record of Snakemake"):
        read_records(broken.parent)


FOLDERS = st.sampled_from(["/data/Doe", "/home/jane/x y", "~/scans", "C:\\scans", "../Doe/t1", "file:///a/b"])


@given(
    FOLDERS, st.recursive(st.just("x"), lambda inner: st.lists(inner, min_size=1, max_size=2), max_leaves=4)
)
def test_no_depth_hides_a_path(folder: str, shape: object) -> None:
    def filled(part: object) -> object:
        return {"a": [filled(inner) for inner in part]} if isinstance(part, list) else f"as in {folder}"

    for value in (filled(shape), folder):
        text = literal_without_paths(repr(value))
        assert HIDDEN in text
        assert not [part for part in ("Doe", "jane", "scans", "a/b") if part in text]


@pytest.mark.parametrize(
    "text", ["demo/sub-01/ses-1 t1c", "1/day", "mm^2/day", "https://zenodo.org/x.zip", ""]
)
def test_what_is_no_path_of_the_machine_stays(text: str) -> None:
    assert without_paths([text]) == [text]


def test_what_is_no_literal_is_hidden_where_it_could_hold_a_path() -> None:
    assert literal_without_paths("PosixPath('/data/Doe')") == HIDDEN
    assert literal_without_paths("<rule n4>") == "<rule n4>"


def test_a_state_changes_with_its_files_and_not_with_its_own(tmp_path: Path) -> None:
    own = tmp_path / "provenance.json"
    (tmp_path / "a.tsv").write_text("1")
    first = state_of(tmp_path, [own.name])
    own.write_text("{}")
    assert state_of(tmp_path, [own.name]) == first
    os.utime(tmp_path / "a.tsv", (1, 1))
    assert state_of(tmp_path, [own.name]) != first


FACTS = {"revision": None, "config_sha256": "c", "sheets": [], "participants": None} | {
    "model_table": None,
    "models": [{"Name": "mine", "Sha256": "a"}],
}


def test_a_description_tells_program_software_and_checksums() -> None:
    told = describe_dataset("one", FACTS)
    assert {"Name", "BIDSVersion", "DatasetType", "GeneratedBy"} <= set(told)
    software = {entry["Name"]: entry["Version"] for entry in told["GeneratedBy"]}
    assert {"gliaflow", "Python", "numpy", "snakemake", "SimpleITK"} <= set(software)
    assert "GitRevision" not in told["GeneratedBy"][0]
    assert describe_dataset("one", FACTS | {"revision": "abc"})["GeneratedBy"][0]["GitRevision"] == "abc"


def test_a_setting_changes_the_checksum_and_a_place_does_not() -> None:
    config = {"seed": 1, "samples": ["/a/s.tsv"], "growth": {"tissue": {"maps": {"WM": "/a/wm.nii.gz"}}}}
    moved = {"seed": 1, "samples": ["/b"], "growth": {"tissue": {"maps": {"WM": "/b/c/wm.nii.gz"}}}}
    other = {"seed": 1, "samples": [], "growth": {"tissue": {"maps": {"WM": "/a/gm.nii.gz"}}}}
    assert config_sha256(config) == config_sha256(moved) != config_sha256(other)


def test_the_revision_is_that_of_a_checkout_and_says_where_it_was_changed(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        who = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "core.hooksPath=/dev/null"]
        command = ["git", "-C", str(tmp_path), *who, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert git_revision(tmp_path) is None
    git("init", "-q")
    (tmp_path / "inner").mkdir()
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-q", "-m", "first")
    commit = git("rev-parse", "HEAD")
    assert git_revision(tmp_path) == commit
    assert git_revision(tmp_path / "inner") is None
    (tmp_path / "a").write_text("2")
    assert git_revision(tmp_path) == f"{commit}-dirty"


def test_a_document_is_the_same_when_written_and_read(root: Path, tmp_path: Path) -> None:
    write_json(tmp_path / "provenance.json", tell(root))
    check_structure(json.loads((tmp_path / "provenance.json").read_text()))
