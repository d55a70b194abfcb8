"""A package gets temperatures of other sessions, and keeps everything else."""

import zipfile

import numpy as np
import pytest
from nnunet_files import DATASET, PLANS, checkpoint, manifest

from gliaflow.errors import ConfigError
from gliaflow.nnunet.package import CARD, read_manifest, write_package
from gliaflow.train.recalibrate import HEADING, count_sessions, main, recalibrate_package, tables_in
from gliaflow.uncertainty.counts import write_counts

REGIONS = ("WT", "TC", "ET")
OLD = dict.fromkeys(REGIONS, 3.0)


@pytest.fixture
def package(tmp_path):
    path = tmp_path / "old.zip"
    card = "# Tiny\n\n## Limits\n\nNone are known.\n"
    content = {"plans": PLANS, "dataset": DATASET, "checkpoints": {"0": checkpoint()}, "card": card}
    write_package(path, manifest(temperature=OLD, regions=REGIONS), **content)
    return path


def sessions(folder, temperature, subjects=10, regions=REGIONS):
    """Write counts of probabilities that are too extreme by a temperature."""
    rng = np.random.default_rng(1)
    folder.mkdir()
    probability = (np.arange(256) + 0.5) / 256
    odds = (probability / (1 - probability)) ** (1 / temperature)
    for number in range(subjects):
        inside = rng.binomial(400, odds / (1 + odds))
        counts = np.stack([400 - inside, inside], axis=1)
        write_counts(folder / f"sub-{number:03d}_ses-1_calibration.tsv", dict.fromkeys(regions, counts))
    return folder


def test_the_temperature_of_the_sessions_is_found_and_packed(package, tmp_path, capsys):
    out = tmp_path / "new.zip"
    assert main([str(package), str(out), str(sessions(tmp_path / "results", 1.7))]) == 0
    new, old = read_manifest(out), read_manifest(package)
    assert new.temperature == pytest.approx(dict.fromkeys(REGIONS, 1.7), rel=0.03)
    assert new.cross_validation["calibration"]["TC"]["cross_fitted"] == 1
    assert new.files["fold_0/checkpoint_final.pth"] == old.files["fold_0/checkpoint_final.pth"]
    assert (new.postprocess, new.regions, new.name) == (old.postprocess, old.regions, old.name)
    assert "enter it, with its sha256" in capsys.readouterr().out


def test_the_card_says_so_once(package, tmp_path):
    tables = tables_in([sessions(tmp_path / "results", 1.7)])
    once, twice = tmp_path / "once.zip", tmp_path / "twice.zip"
    recalibrate_package(package, once, tables)
    recalibrate_package(once, twice, tables)
    with zipfile.ZipFile(twice) as archive:
        card = archive.read(CARD).decode()
    assert card.count(HEADING) == card.count("## Limits") == 1
    assert "on 10 subjects (10 sessions)" in card
    assert once.read_bytes() == twice.read_bytes()


def test_sessions_of_a_subject_stay_together(tmp_path):
    folder = sessions(tmp_path / "results", 1.2, subjects=6)
    again = folder / "sub-000_ses-2_calibration.tsv"
    again.write_bytes((folder / "sub-000_ses-1_calibration.tsv").read_bytes())
    counted = count_sessions(tables_in([folder]), REGIONS)
    assert (counted.subjects, counted.sessions) == (6, 7)
    sizes = {group: counts.sum() // (400 * 256) for group, counts in counted.groups["WT"].items()}
    assert sizes == {0: 3, 1: 1, 2: 1, 3: 1, 4: 1}


@pytest.mark.parametrize(
    ("regions", "subjects", "said"),
    [(("WT", "TC"), 10, "ET: too few of the 10 subjects have it"), (REGIONS, 0, "no _calibration.tsv")],
)
def test_what_cannot_be_fitted_is_told(package, tmp_path, regions, subjects, said):
    tables = tables_in([sessions(tmp_path / "results", 1.2, subjects, regions)])
    with pytest.raises(ConfigError, match=said):
        recalibrate_package(package, tmp_path / "new.zip", tables)
    assert not (tmp_path / "new.zip").exists()


def test_a_package_without_temperatures_is_refused(tmp_path, capsys):
    path = tmp_path / "plain.zip"
    content = {"plans": PLANS, "dataset": DATASET, "checkpoints": {"0": checkpoint()}, "card": "# Tiny"}
    write_package(path, manifest(), **content)
    assert main([str(path), str(tmp_path / "new.zip"), str(tmp_path)]) == 1
    assert "has no temperatures" in capsys.readouterr().err
