"""What memory jobs ask for: more for sessions of large scans, as far as their sizes are known."""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from cohorts import dicom, facts, session, write_sheet

LARGE, MVOXELS = (512, 512, 360), 94.4
BY_SIZE = {"n4": (1500, 30), "coregister": (2000, 70), "labels": (3000, 50), "brain_mask": (3000, 50)}
ON_ATLAS = ("normalise", "segment", "fuse")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A scan of half a millimetre, in which nothing is to be seen."""
    path = tmp_path_factory.mktemp("large") / "scan.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros(LARGE, np.uint8), np.diag([0.5, 0.5, 0.5, 1])), path)
    return path.read_bytes()


def given(folder: Path, scan: bytes) -> dict[str, str]:
    row = session(folder, "large")
    (folder / row["t2f"]).write_bytes(scan)
    return row


def converted(folder: Path, scan: bytes) -> dict[str, str]:
    """Of a series the size is known when it is converted."""
    path = folder / "out/results/one/sub-large/ses-1/anat/sub-large_ses-1_t1c.nii.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(scan)
    return session(folder, "large", sequences=()) | {"t1c": dicom(folder, "scans.zip")}


@pytest.mark.parametrize("make", [given, converted])
def test_large_scans_ask_for_more(make: Callable[..., dict[str, str]], large: bytes, tmp_path: Path) -> None:
    rows = [make(tmp_path, large), session(tmp_path, "ordinary")]
    jobs = facts(tmp_path, write_sheet(tmp_path / "samples.tsv", rows))["jobs"]
    asked = {(job["rule"], job["wildcards"].get("subject", "")): job["memory"] for job in jobs}
    for rule, (base, more) in BY_SIZE.items():
        assert asked[rule, "ordinary"] == [base, 2 * base, 4 * base]
        first, *others = asked[rule, "large"]
        assert first == pytest.approx(base + more * (MVOXELS - 16), abs=100)
        assert first % 100 == 0
        assert others == [2 * first, 4 * first]
    for rule in ON_ATLAS:
        assert asked[rule, "large"] == asked[rule, "ordinary"]
