"""Networks of images: what they see, that they learn what is there and nothing else, and their packages."""

import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from gliaflow.errors import ConfigError, GliaflowError
from gliaflow.marker.base import Design, Inputs
from gliaflow.marker.chance import write_permuted
from gliaflow.marker.classifier import (
    build,
    dump,
    load,
    log_odds,
    read_checkpoint,
    write_checkpoint,
)
from gliaflow.marker.dataset import Seen, crop, read_seen, see, write_seen
from gliaflow.marker.fit import augment, fit_classifier
from gliaflow.marker.graph import SeenGraph
from gliaflow.marker.names import WHOLE, split_names
from gliaflow.marker.networks import NETWORKS
from gliaflow.marker.settings import Networks
from gliaflow.marker.steps import (
    Given,
    splits_of,
    write_applied,
    write_fitted,
    write_out_of_fold,
    write_package,
)
from gliaflow.marker.table import image_sessions, image_table
from gliaflow.predict import names
from gliaflow.predict.folds import CROSS_VALIDATION
from gliaflow.predict.metrics import score_rows
from gliaflow.predict.package import open_predictor
from gliaflow.predict.score import SCORE_COLUMNS, score_table
from gliaflow.predict.table import Table, read_table
from gliaflow.predict.tasks import Settings, Task
from gliaflow.tables import read_rows, write_table

EDGE = 16
GRAPH = {"nodes": 6, "node_voxels": 20, "edges": 5, "edge_voxels": 8}
QUICK = Networks(voxels=EDGE, epochs=1, batch_size=8)
TWO = replace(QUICK, sequences=("t1c", "t2f"))
FEW = Settings(folds=3, repeats=1, inner_folds=3, resamples=200, permutations=99, horizon_days=1)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """On one thread a training gives the same numbers on any machine, and tests side by side do not wait."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def marker(model: str = "densenet3d_crop") -> Task:
    return Task("mgmt", "classification", model, (), column="mgmt", positive="methylated")


def cohort(
    folder: Path, subjects: int = 48, *, seed: int = 0, effect: float = 1.0, missing: float = 0.0
) -> Given:
    """Sessions whose tumour has a bright rim in t1c where the marker is positive, by ``effect``.

    The rim is seen in the cube, the slice, and a third of the regions of a graph.
    """
    random, of_graph = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    sessions, images, people = [], [], []
    grid = np.linalg.norm(np.indices((EDGE,) * 3) - (EDGE - 1) / 2, axis=0)
    for number in range(subjects):
        positive = number % 2
        rim = (grid > 3) & (grid < 5)
        volume = random.normal(0, 0.5, (4, EDGE, EDGE, EDGE))
        volume[1] += rim * (2 * effect * positive + random.normal(0, 0.6))
        flat = random.normal(0, 0.5, (4, 2 * EDGE, 2 * EDGE))
        flat[1] += np.kron(rim[..., EDGE // 2], np.ones((2, 2))) * 2 * effect * positive
        present = random.random(4) >= missing
        present[1] = True
        # the mean in the tumour does not tell it, or the guard against leaks would find it
        mean = np.where(present, random.normal(size=4), np.nan)
        regions = of_graph.normal(0, 0.5, (4, 6, 20))
        regions[1, :2] += 2 * effect * positive
        there = present[:, None, None]
        graph = SeenGraph(
            *(
                regions * there,
                regions[:, :5, :8] * there,
                np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]]),
            ),
            digest="one",
        )
        seen = Seen(
            (volume * present[:, None, None, None]).astype(np.float32),
            (flat * present[:, None, None]).astype(np.float32),
            present,
            mean,
            tumour_ml=float(random.uniform(5, 90)),
            spacing_mm=2.0,
            graph=graph,
        )
        name = f"P{number:03d}"
        images.append(folder / f"{name}.npz")
        write_seen(images[-1], seen)
        sessions.append({"cohort": "one", "subject": name, "session": "1", "days": None})
        people.append({"cohort": "one", "subject": name, "mgmt": ("unmethylated", "methylated")[positive]})
    pd.DataFrame(people).to_csv(folder / "people.tsv", sep="\t", index=False)
    return Given(sessions, images, folder / "people.tsv")


def cross_validated(given: Given, networks: Networks, folder: Path, task: Task) -> pd.DataFrame:
    """The out-of-fold predictions, by way of the files that the rules write."""
    names_of_splits = split_names(FEW.folds, FEW.repeats, ["one"])
    paths = {name: folder / f"{name}.pt" for name in names_of_splits}
    for name, path in paths.items():
        write_fitted(given, task, FEW, networks, split=name, path=path, threads=1)
    table = folder / "out_of_fold.tsv"
    write_out_of_fold(given, task, FEW, networks, checkpoints=paths, path=table)
    return read_table(table, ["outcome", "probability", "called"])


def auc(rows: pd.DataFrame) -> float:
    return float(score_rows(rows, np.ones((1, len(rows))))["auc", None][0])


def test_every_name_has_its_network():
    assert list(NETWORKS) == list(names.NETWORKS)


def test_a_crop_keeps_places_in_millimetres():
    place = np.reshape((20, 14, 25), (3, 1, 1, 1))
    image = np.exp(-((np.indices((40, 40, 40)) - place) ** 2).sum(axis=0) / 18)
    box = crop(image, (1, 1, 1), (20, 16, 25), (12, 11, 13), (2, 2, 2))
    centre = np.array([(axis * box).sum() / box.sum() for axis in np.indices(box.shape)])
    assert np.allclose(centre, (5.5, 4, 6), atol=0.02)
    assert box.sum() * 8 == pytest.approx(image.sum(), rel=0.02)
    assert not crop(image, (1, 1, 1), (200, 10, 30), (9, 9, 9), (2, 2, 2)).any()


def test_what_is_seen_is_around_the_tumour_and_tells_what_is_missing(tmp_path):
    labels = np.zeros((40, 44, 48), np.uint8)
    labels[10:14, 20:26, 30:34] = 2
    labels[10:14, 20:26, 34] = 4
    image = (labels == 2).astype(np.float32)
    seen = see({"t1c": image}, labels, labels > 0, (1, 1, 1), voxels=16, spacing_mm=2.0)
    assert seen.present.tolist() == [False, True, False, False]
    assert seen.tumour_ml == pytest.approx(4 * 6 * 4 / 1000)
    assert seen.mean[1] == 1
    assert np.isnan(seen.mean[[0, 2, 3]]).all()
    assert not seen.volume[[0, 2, 3]].any()
    middle = [(axis * seen.volume[1]).sum() / seen.volume[1].sum() for axis in np.indices((16,) * 3)]
    assert np.allclose(middle, 7.5, atol=0.1)
    assert seen.slice.shape == (4, 32, 32)
    assert seen.slice[1].max() == 1
    write_seen(tmp_path / "a.npz", seen)
    write_seen(tmp_path / "b.npz", read_seen(tmp_path / "a.npz"))
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_without_a_tumour_the_middle_of_the_brain_is_seen():
    brain = np.zeros((30, 30, 30), bool)
    brain[4:12, 5:25, 5:25] = True
    image = np.zeros(brain.shape, np.float32)
    image[8, 15, 15] = 1
    none = np.zeros(brain.shape, np.uint8)
    seen = see({"t2f": image}, none, brain, (1, 1, 1), voxels=17, spacing_mm=1.0)
    assert seen.tumour_ml == 0
    assert np.unravel_index(seen.volume[3].argmax(), (17,) * 3)[0] == 8


def test_what_is_no_file_of_images_is_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"no zip")
    with pytest.raises(GliaflowError, match="is not what marker_data writes"):
        read_seen(tmp_path / "a.npz")


def test_sequences_are_left_out_but_one_that_is_there_stays_and_air_stays_zero():
    torch.manual_seed(0)
    present = torch.tensor([[1.0, 1, 0, 0]] * 200)
    images = torch.ones(200, 4, 2, 3) * present[:, :, None, None]
    images[:, :, 0] = 0
    varied, kept = augment(images, present, 0.8)
    assert not kept[:, 2:].any()
    assert (kept.sum(dim=1) >= 1).all()
    assert 0.01 < (kept.sum(dim=1) == 2).float().mean() < 0.1
    assert torch.equal((varied != 0).sum(dim=(2, 3)), 3 * kept.long())


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Given:
    """A cohort in which sequences are missing at random."""
    return cohort(tmp_path_factory.mktemp("small"), 40, missing=0.3)


@pytest.mark.parametrize("model", NETWORKS)
def test_each_network_trains_is_stored_and_predicts_the_same(small, tmp_path, model):
    table = image_table(small.read(), marker(model), FEW, TWO.sequences)
    predictor = fit_classifier(table, model, FEW, TWO)
    before = build_state(model)
    after: Any = predictor.pipeline
    changed = [n for n, tensor in after.network.state_dict().items() if not torch.equal(tensor, before[n])]
    assert changed
    assert model != "frozen_local" or not [name for name in changed if name.startswith("frozen")]
    write_checkpoint(tmp_path / "one.pt", predictor)
    again = read_checkpoint(tmp_path / "one.pt")
    assert np.array_equal(predictor.predict(table.features), again.predict(table.features))
    assert (predictor.predict(table.features) > 0).all()
    assert dump(after) == dump(again.pipeline)


def test_frozen_features_are_those_of_the_file_and_another_file_is_refused(small, tmp_path):
    frozen = build("frozen_local", Design(1, EDGE)).frozen.state_dict()
    stored = {f"module.{name}": tensor for name, tensor in frozen.items()}
    torch.save({"state_dict": {**stored, "module.conv_seg.0.weight": torch.zeros(1)}}, tmp_path / "good.pth")
    torch.save({"state_dict": {}}, tmp_path / "bad.pth")
    table = image_table(small.read(), marker("frozen_local"), FEW, ["t1c"])
    chosen = replace(QUICK, sequences=("t1c",), frozen_weights=str(tmp_path / "good.pth"))
    fitted: Any = fit_classifier(table, "frozen_local", FEW, chosen).pipeline
    found = fitted.network.frozen.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in frozen.items())
    with pytest.raises(ConfigError, match="holds no weights of MedicalNet's ResNet-10"):
        fit_classifier(table, "frozen_local", FEW, replace(chosen, frozen_weights=str(tmp_path / "bad.pth")))


def build_state(model: str) -> dict[str, torch.Tensor]:
    """The weights that a training begins with."""
    with torch.random.fork_rng():
        torch.manual_seed(FEW.seed)
        return build(model, Design(len(TWO.sequences), EDGE, **GRAPH)).state_dict()


@pytest.mark.parametrize("model", NETWORKS)
def test_what_a_missing_sequence_holds_is_not_looked_at(model):
    torch.manual_seed(1)
    network = build(model, Design(3, EDGE, **GRAPH))
    sizes = {"volume": (EDGE,) * 3, "slice": (2 * EDGE,) * 2, "graph": (6 * 20 + 5 * 8,)}
    size = sizes[network.takes]
    images, present = torch.randn(2, 3, *size), torch.tensor([[1.0, 1, 0], [1, 0, 1]])
    there = images * present.view(2, 3, *[1] * len(size))
    found = log_odds(network, Inputs(there, present))
    assert np.isfinite(found).all()
    alone = log_odds(network, Inputs(there[1:], present[1:]))
    assert np.allclose(found[1:], alone, atol=1e-4)
    if model in ("efficientnet3d_late", "frozen_local"):
        assert np.allclose(found, log_odds(network, Inputs(images, present)), atol=1e-4)


def test_the_same_seed_gives_the_same_network_and_another_does_not(small):
    table = image_table(small.read(), marker(), FEW, QUICK.sequences)
    model = "densenet3d_crop"
    first, second = (fit_classifier(table, model, FEW, QUICK) for _ in range(2))
    other = fit_classifier(table, model, replace(FEW, seed=1), QUICK)
    stored = [dump(predictor.pipeline) for predictor in (first, second, other)]
    assert stored[0] == stored[1] != stored[2]


def test_a_marker_that_changes_the_image_is_found_and_one_that_does_not_is_not(tmp_path):
    networks = Networks(sequences=("t1c", "t2f"), voxels=EDGE, epochs=6, learning_rate=3e-3)
    found = {}
    for effect in (1.0, 0.0):
        folder = tmp_path / str(effect)
        folder.mkdir()
        given = cohort(folder, 72, effect=effect)
        rows = cross_validated(given, networks, folder, marker())
        write_permuted(folder / "out_of_fold.tsv", 99, 1, folder / "chance.tsv")
        chance = pd.DataFrame(read_rows([folder / "chance.tsv"]))
        scores = score_table(rows, chance, marker(), FEW)
        found[effect] = next(row for row in scores if row["metric"] == "auc")
        null = chance[chance["metric"] == "auc"]["value"].astype(float)
        assert abs(null.mean() - 0.5) < 0.05
    assert found[1.0]["estimate"] > 0.9
    assert found[1.0]["p"] == 0.01
    assert found[0.0]["low"] < 0.5 < found[0.0]["high"]
    assert found[0.0]["p"] > 0.05


def test_splits_are_those_of_tables_and_keep_subjects_apart(small):
    table = image_table(small.read(), marker(), FEW, QUICK.sequences)
    two_sites = replace(table, sites=np.array(["A", "B"] * 20))
    two_sites = replace(two_sites, outcome=np.array([0, 0, 1, 1] * 10))
    few = replace(FEW, least_per_class=5)
    splits = dict(splits_of(two_sites, few))
    assert list(splits) == split_names(3, 1, ["B", "A", "B"])
    for split in splits.values():
        assert not set(table.groups[split.train]) & set(table.groups[split.test])
    assert [split.scheme for split in splits.values()].count(CROSS_VALIDATION) == 3


def test_a_site_that_cannot_be_left_out_gets_an_empty_checkpoint(small, tmp_path):
    made = tmp_path / "site.pt"
    write_fitted(small, marker(), FEW, QUICK, split=split_names(3, 1, "XY")[-1], path=made, threads=1)
    assert made.read_bytes() == b""
    with pytest.raises(ConfigError, match="is no whole checkpoint"):
        read_checkpoint(made)


SCORES = {
    **{"task": "mgmt", "model": "median_slice", "scheme": CROSS_VALIDATION, "metric": "auc"},
    **{"time_days": None, "estimate": 0.61, "low": 0.52, "high": 0.7, "chance": 0.5, "p": 0.01},
    **{"permutations": 99, "subjects": 40, "rows": 40},
}


@pytest.fixture(scope="module")
def packed(small: Given, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of a network, trained on the small cohort."""
    folder = tmp_path_factory.mktemp("packed")
    task = marker("median_slice")
    write_fitted(small, task, FEW, QUICK, split=WHOLE, path=folder / "all.pt", threads=1)
    write_table(folder / "scores.tsv", [{key: SCORES[key] for key in SCORE_COLUMNS}], SCORE_COLUMNS)
    write_package(
        *(small, task, FEW, QUICK),
        checkpoint=folder / "all.pt",
        scores=folder / "scores.tsv",
        package=folder / "mgmt.zip",
        card=folder / "card.md",
    )
    return folder / "mgmt.zip"


def applied(given: Given, package: Path, path: Path, out_of_fold: Path | None = None) -> pd.DataFrame:
    write_applied(given, marker("median_slice"), package, out_of_fold, path)
    return pd.DataFrame(read_rows([path]))


def test_a_package_predicts_new_sessions_beside_its_figures_and_marks_the_unusual(packed, tmp_path):
    given = cohort(tmp_path, 4, seed=5)
    odd = read_seen(given.images[1])
    write_seen(given.images[1], replace(odd, tumour_ml=500.0, present=np.array([True, True, True, False])))
    write_seen(given.images[2], replace(odd, mean=np.array([0, 0, 0, np.nan])))
    new = [{**session, "cohort": "two"} for session in given.sessions]
    rows = applied(Given(new, given.images, None), packed, tmp_path / "predictions.tsv")
    assert len(rows) == 4
    assert rows["cross_validated"].tolist() == [0.61] * 4
    assert rows["chance"].tolist() == [0.5] * 4
    assert rows["basis"].tolist() == ["package"] * 4
    assert "tumour_volume_ml is 500, outside" in rows["marks"][1]
    assert "t2f_in_tumour is missing" in rows["marks"][2]
    card = packed.with_name("card.md").read_text()
    assert "images (t1n, t1c, t2w, t2f) of the tumour, 16 voxels of 2 mm an edge (median_slice)" in card
    assert "0.610" in card
    assert str(tmp_path.parent) not in open_predictor_text(packed)


def open_predictor_text(path: Path) -> str:
    return json.dumps(dict(open_predictor(path).manifest))


def test_who_was_in_training_is_predicted_out_of_fold_or_marked(packed, small, tmp_path):
    rows = applied(small, packed, tmp_path / "a.tsv")
    assert rows["marks"].str.contains("was in the training data").all()
    left_out = pd.DataFrame(
        {
            **{"cohort": "one", "subject": rows["subject"], "session": "1", "site": "one"},
            **{"scheme": CROSS_VALIDATION, "repeat": 0, "fold": "0", "outcome": 1},
            **{"probability": 0.25, "called": 0},
        }
    )
    left_out.to_csv(tmp_path / "left.tsv", sep="\t", index=False)
    rows = applied(small, packed, tmp_path / "b.tsv", tmp_path / "left.tsv")
    assert set(rows["basis"]) == {"out of fold"}
    assert set(rows["prediction"]) == {0.25}


def repacked(source: Path, target: Path, changes: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, changes.get(name, old.read(name)))
    return target


def test_wrong_packages_are_refused(packed, tmp_path):
    torch.save({"model": "median_slice"}, tmp_path / "weights.pt")
    changed = repacked(packed, tmp_path / "a.zip", {"network.pt": (tmp_path / "weights.pt").read_bytes()})
    with pytest.raises(ConfigError, match=r"network\.pt is not the file that was packed"):
        open_predictor(changed)
    manifest = json.loads(zipfile.ZipFile(packed).read("predictor.json"))
    text = json.dumps({**manifest, "model": "median_cube"}).encode()
    with pytest.raises(ConfigError, match="median_cube"):
        open_predictor(repacked(packed, tmp_path / "b.zip", {"predictor.json": text}))


class Harmful:
    def __reduce__(self):
        return print, ("run",)


@pytest.mark.parametrize(
    "kind", ["code", "no zip", "other weights", "another network", "too large", "other sizes"]
)
def test_weights_that_are_no_network_are_refused_and_not_run(tmp_path, kind, capsys):
    view = {"sequences": ["t1c"], "voxels": EDGE, "spacing_mm": 2.0}
    state = build("median_slice", Design(2, EDGE)).state_dict()
    good = {"model": "median_slice", "graph": "", "design": vars(Design(1, EDGE)), "view": view}
    contents = {
        "code": {**good, "view": Harmful()},
        "other weights": {**good, "state": state},
        "another network": {**good, "model": "nothing", "state": {}},
        "too large": {**good, "view": {**view, "voxels": 10**6}, "state": {}},
        "other sizes": {**good, "design": {**vars(Design(1, EDGE)), "nodes": 10**9}, "state": {}},
    }
    torch.save(contents.get(kind), tmp_path / "one.pt")
    content = b"no zip" if kind == "no zip" else (tmp_path / "one.pt").read_bytes()
    with pytest.raises(ConfigError, match="is no network of gliaflow"):
        load(content, "one.pt")
    assert capsys.readouterr().out == ""


def test_a_cube_of_another_size_is_refused_with_what_to_write(packed, tmp_path):
    given = cohort(tmp_path, 1)
    write_seen(given.images[0], replace(read_seen(given.images[0]), spacing_mm=1.0))
    message = "trained on 16 of 2 mm; write these into predict.networks.voxels and spacing_mm"
    with pytest.raises(GliaflowError, match=message):
        applied(replace(given, participants=None), packed, tmp_path / "a.tsv")


def test_a_sequence_that_no_session_has_is_named(small, tmp_path):
    sessions = small.read().assign(t2w_in_tumour=np.nan)
    with pytest.raises(
        GliaflowError, match=r"no session has t2w; take it out of predict\.networks\.sequences"
    ):
        image_table(sessions, marker(), FEW, QUICK.sequences)


def test_sessions_without_any_of_the_sequences_are_left_out_and_counted(small):
    sessions = small.read()
    sessions.loc[:1, "t2f_in_tumour"] = np.nan
    missing = int(sessions["t2f_in_tumour"].isna().sum())
    table: Table = image_table(
        sessions, marker(), replace(FEW, least_subjects=10, least_per_class=5), ["t2f"]
    )
    assert table.left_out == {"have none of t2f": missing}
    assert len(table.keys) == 40 - missing


def test_too_few_are_refused_with_the_numbers(tmp_path):
    given = cohort(tmp_path, 12)
    with pytest.raises(GliaflowError, match="too few subjects: 12 subjects, 6 other, 6 methylated"):
        image_table(given.read(), marker(), FEW, QUICK.sequences)


def test_no_session_is_no_row():
    sessions = image_sessions([], [], None)
    assert not len(sessions)
    assert "images" in sessions
