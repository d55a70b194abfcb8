"""From the files of a session to its habitats, its row, its picture, and the joined table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from habitat_cohorts import MAPS, QUICK, cohort, write_ball
from PIL import Image
from sklearn.metrics import adjusted_rand_score

from gliaflow.errors import ConfigError, ImageError
from gliaflow.habitats.features import habitat_columns, habitat_features
from gliaflow.habitats.names import check_habitats, check_sessions
from gliaflow.habitats.search import Tumour, find_habitats
from gliaflow.habitats.steps import outcomes_of, write_fit, write_joined, write_map, write_sample
from gliaflow.habitats.vectors import draw_voxels, tumour_vectors
from gliaflow.images import data_of, read_image, write_image
from gliaflow.predict.table import choose_features, read_sessions
from gliaflow.predict.tasks import Task
from gliaflow.report.habitats import draw_habitats
from gliaflow.sidecar import read_json
from gliaflow.tables import read_rows, write_table

WHO = {"cohort": "one", "subject": "01", "session": "1"}
FACTS = {"region": "WT", "patch_voxels": 1, "least_voxels": 200}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was fitted to samples of four tumours, by files."""
    folder = tmp_path_factory.mktemp("model")
    samples, subjects = [], []
    for number in range(4):
        (folder / str(number)).mkdir()
        maps, labels, _ = write_ball(folder / str(number), seed=number)
        samples.append(folder / f"{number}.npy")
        settings = {"region": "WT", "patch_voxels": 1, "voxels": 300, "seed": 1}
        write_sample(maps, labels, samples[-1], **settings)
        subjects.append({"cohort": "one", "subject": str(number), "days": None})
    assert np.load(samples[0]).shape == (300, 3)
    made = {name: folder / f"{name}.tsv" for name in ("trials", "stability")}
    write_fit(samples, subjects, None, QUICK, model=folder / "model.npz", **made, maps=MAPS, **FACTS)
    assert len(read_rows([made["trials"]])) == QUICK.trials
    assert set(read_json(folder / "trials.json")) == set(pd.read_csv(made["trials"], sep="\t"))
    return folder / "model.npz"


def mapped(folder: Path, model: Path, radius: int) -> tuple[dict, dict[str, Path]]:
    maps, labels, truth = write_ball(folder, radius=radius, seed=99)
    image, table = folder / "habitats.nii.gz", folder / "row.tsv"
    write_map(maps, labels, model, WHO, image=image, table=table, sources=["a"], space="MNI152")
    (row,) = read_rows([table])
    found = data_of(read_image(image), np.uint8)
    return {"row": row, "found": found, "truth": truth, "said": read_json(folder / "habitats.json")}, maps


def test_a_session_has_its_planted_habitats_and_their_volumes(tmp_path: Path, model: Path) -> None:
    got, maps = mapped(tmp_path, model, radius=9)
    inside = got["truth"] > 0
    assert adjusted_rand_score(got["truth"][inside], got["found"][inside]) > 0.8
    assert not got["found"][~inside].any()
    row = got["row"]
    assert row["habitat_tumour_voxels"] == inside.sum()
    assert sum(row[f"habitat_{k}_share"] for k in (1, 2, 3)) == pytest.approx(1, abs=1e-5)
    assert row["habitat_1_volume_ml"] == pytest.approx((got["found"] == 1).sum() / 1000)
    assert row["habitat_1_t1c_mean"] < row["habitat_2_t1c_mean"] < row["habitat_3_t1c_mean"]
    assert got["said"]["Labels"] == {"1": "habitat 1", "2": "habitat 2", "3": "habitat 3"}
    images = {name: read_image(path) for name, path in maps.items()}
    habitats = read_image(tmp_path / "habitats.nii.gz")
    brain = tmp_path / "brain.nii.gz"
    write_image(brain, np.ones((24, 24, 24)), np.eye(4), np.uint8)
    draw_habitats(images, habitats, read_image(brain), tmp_path / "p.png", title="one")
    assert len(Image.open(tmp_path / "p.png").convert("RGB").getcolors(1 << 20) or ()) > 20


def test_a_small_tumour_has_no_habitats_and_is_told_why(tmp_path: Path, model: Path) -> None:
    got, maps = mapped(tmp_path, model, radius=2)
    assert not got["found"].any()
    assert got["row"]["habitat_tumour_voxels"] == 33
    assert got["row"]["habitat_1_share"] is None
    assert "33 voxels in the atlas; 200 are needed" in got["said"]["Empty"]
    images = {name: read_image(path) for name, path in maps.items()}
    labels = read_image(tmp_path / "labels.nii.gz")
    empty = read_image(tmp_path / "habitats.nii.gz")
    draw_habitats(images, empty, labels, tmp_path / "p.png", title="one", empty=got["said"]["Empty"])
    assert (tmp_path / "p.png").stat().st_size > 1000


def test_features_of_a_case_by_hand() -> None:
    vectors = np.array([[1.0], [3.0], [8.0], [8.0]])
    row = habitat_features(vectors, np.array([1, 1, 3, 3]), 3, ["t1c"], voxel_ml=0.5)
    assert set(row) == {name for name in habitat_columns(3, ["t1c"]) if name.startswith("habitat")}
    assert row["habitat_entropy"] == 1
    assert [row[f"habitat_{k}_share"] for k in (1, 2, 3)] == [0.5, 0, 0.5]
    assert [row[f"habitat_{k}_t1c_mean"] for k in (1, 2, 3)] == [2, None, 8]
    assert row["habitat_3_volume_ml"] == 1


def test_a_patch_averages_the_tumour_only() -> None:
    image = np.full((5, 5, 5), 100.0)
    mask = np.zeros(image.shape, dtype=bool)
    mask[2, 2, 1:4] = True
    image[2, 2, 1:4] = [1, 2, 6]
    assert tumour_vectors({"a": image}, mask, 3).ravel().tolist() == pytest.approx([1.5, 3, 4])
    assert tumour_vectors({"a": image}, mask).ravel().tolist() == [1, 2, 6]


def test_a_map_that_does_not_fit_is_refused_with_the_numbers() -> None:
    mask = np.ones((2, 2, 2), dtype=bool)
    with pytest.raises(ImageError, match=r"map b: has shape \(1, 2, 2\)"):
        tumour_vectors({"b": np.zeros((1, 2, 2))}, mask)
    broken = np.zeros((2, 2, 2))
    broken[0, 0, 0] = np.nan
    with pytest.raises(ImageError, match="map b: 1 of 8 voxels"):
        tumour_vectors({"b": broken}, mask)


def test_few_voxels_are_all_taken_and_many_are_drawn_alike() -> None:
    vectors = np.arange(20.0)[:, None]
    assert draw_voxels(vectors, 50, 1) is vectors
    drawn = draw_voxels(vectors, 5, 1).ravel().tolist()
    assert drawn == draw_voxels(vectors, 5, 1).ravel().tolist() == sorted(set(drawn))


def test_survival_is_read_of_those_of_whom_it_is_known(tmp_path: Path) -> None:
    path = tmp_path / "people.tsv"
    path.write_text("cohort\tsubject\tsurvival_days\tevent\none\t01\t90\t1\none\t02\t\t0\none\t03\t70\t0\n")
    assert outcomes_of(path) == {("one", "01"): (True, 90.0), ("one", "03"): (False, 70.0)}
    assert outcomes_of(None) == {}


def test_habitats_are_joined_to_the_features_of_their_session(tmp_path: Path) -> None:
    names = dict.fromkeys(["cohort", "subject", "session"], "")
    rows = [{**WHO, "wt_volume_ml": 1.5}, {**WHO, "subject": "02", "wt_volume_ml": 2}]
    write_table(tmp_path / "f.tsv", rows, {**names, "wt_volume_ml": "Volume"})
    write_table(tmp_path / "h.tsv", [{**WHO, "habitat_1_share": 0.25}], {**names, "habitat_1_share": "Share"})
    write_joined(tmp_path / "f.tsv", tmp_path / "h.tsv", tmp_path / "both.tsv")
    got = read_rows([tmp_path / "both.tsv"])
    assert [(r["subject"], r["wt_volume_ml"], r["habitat_1_share"]) for r in got] == [
        ("01", 1.5, 0.25),
        ("02", 2.0, None),
    ]
    assert read_json(tmp_path / "both.json")["habitat_1_share"] == {"Description": "Share"}
    sessions = read_sessions([tmp_path / "both.tsv"], None)
    task = Task("t", "survival", "cox", ("habitat_*",))
    assert choose_features(task, list(sessions)) == ["habitat_1_share"]


GOOD = {
    "maps": ["t1c", "t2f"],
    "further": [],
    "number": [3, 7],
    "quantile": [0.8, 1],
    "alpha": 1,
    "model": None,
    "in_predict": False,
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"maps": ["t1c"]}, "1 map is named"),
        ({"number": [7, 3]}, "number: 7 is above 3"),
        ({"further": [{"name": "t1c", "path": "a"}]}, "a name is there twice"),
        ({"further": [{"name": "cbv", "path": "{patient}"}]}, "has the field 'patient'"),
        ({"further": [{"name": "cbv", "path": "{subject"}]}, "a brace without its other"),
        ({"alpha": 0.5, "in_predict": True}, "chosen by survival"),
    ],
)
def test_settings_that_do_not_go_together_are_told(changed: dict, said: str) -> None:
    sequences = ("t1n", "t1c", "t2w", "t2f")
    check_habitats(GOOD, sequences, participants=True)
    check_habitats({**GOOD, "alpha": 0.5, "in_predict": True, "model": "m"}, sequences, participants=True)
    with pytest.raises(ConfigError, match=said):
        check_habitats({**GOOD, **changed}, sequences, participants=True)


def test_missing_sequences_are_refused_with_the_numbers() -> None:
    lacking = {"one/01/1": ["t2f"], "one/02/1": []}
    with pytest.raises(ConfigError, match=r"1 subjects have every map.*3 are needed; 1 of 2.*01/1 lacks t2f"):
        check_sessions(1, lacking, 3)


def test_a_cohort_of_two_maps_is_parted_too() -> None:
    tumours = [Tumour(t.name, t.vectors[:, :2]) for t in cohort(4)[0]]
    facts = {**FACTS, "maps": ("t1c", "t2w")}
    found = find_habitats(tumours, QUICK, **facts)
    assert found.model.centres.shape[1] == 2
