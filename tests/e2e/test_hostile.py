"""Paths that a shell would obey and headers that were filled in with malice, through a real run."""

import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag
from workflow import REPOSITORY, command, holders, text_of_everything, write_sheet

from gliaflow.images import write_image
from gliaflow.simulate.dicom import SeriesHeader, StudyHeader, write_series

SHELL = "a b; touch pwned; $(touch pwned) `touch pwned` && touch pwned | 'q\" \\ * ? ~ -x é ü 脑 %s #"
SECRETS = ("Quacksalber", "Wilhelmine", "PAT-77812", "19570312", "ACC998877", "Elsewhere", "<script>")
STUDY = StudyHeader(
    patient_name="Quacksalber^Wilhelmine<script>alert(1)</script>",
    patient_id="PAT-77812",
    birth_date="19570312",
    sex="F",
    study_date="20240229",
    accession_number="ACC998877",
    institution="Elsewhere Klinikum",
    referring_physician="Quacksalber^Otto",
    uid_seed="hostile",
)
SERIES = SeriesHeader("AX T1 Quacksalber ACC998877", 3, echo_time_ms=9, repetition_time_ms=500)
HOSTILE = {
    "Manufacturer": b"Quacksalber <script>",
    "ScanOptions": b"ACC998877\\Wilhelmine",
    "ProtocolName": b"T1\x1b[2J\tQuacksalber\nWilhelmine",
    "PatientComments": b"PAT-77812 <script>",
    "StationName": b"Elsewhere",
}
BROKEN = {
    "EchoTime": b"Quacksalber",
    "Modality": b"MR\tQuacksalber",
    "Rows": b"PAT-77812 ",
    "ImagePositionPatient": b"Wilhelmine\\Quacksalber\\19570312",
    "NumberOfFrames": b"Wilhelmine",
    "RescaleSlope": b"ACC998877 ",
}


@dataclass(frozen=True)
class Hostile:
    """What a run left, what it printed, and where its scans and the sheet lie."""

    directory: Path
    printed: str
    data: Path


def scan() -> nib.Nifti1Image:
    data = np.random.default_rng(0).integers(1, 900, (12, 10, 12)).astype(np.float32)
    return nib.Nifti1Image(data, np.diag([2.0, 2.0, 2.0, 1.0]))


def dicom(folder: Path, values: dict[str, bytes]) -> Path:
    """A series whose headers hold bytes that no library checks."""
    for path in write_series(scan(), folder, SERIES, STUDY):
        header = pydicom.dcmread(path)
        for keyword, value in values.items():
            tag = Tag(keyword)
            kind = pydicom.datadict.dictionary_VR(tag)
            whole = value + b" " * (len(value) % 2)
            header._dict[tag] = RawDataElement(tag, kind, len(whole), whole, 0, False, True)
        header.save_as(path, enforce_file_format=False)
    return folder


def session(subject: str, **cells: Path) -> dict[str, str]:
    names = {"cohort": "c", "subject": subject, "session": "1"}
    return names | {key: path.name for key, path in cells.items()}


def converted(subject: str) -> str:
    return f"results/c/sub-{subject}/ses-1/anat/sub-{subject}_ses-1_t1n.nii.gz"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    """Conversions under a umask that lets nobody else in, of scans whose paths and headers are hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    data, directory = folder / f"line\nbreak {SHELL}", folder / f"out {SHELL}"
    data.mkdir()
    directory.mkdir()
    write_image(data / f"{SHELL}.nii.gz", scan().get_fdata(), scan().affine)
    rows = [
        session("nifti", t1n=data / f"{SHELL}.nii.gz"),
        session("dicom", t1n=dicom(data / f"d {SHELL}", HOSTILE)),
        session("study", dicom=dicom(data / f"s {SHELL}", HOSTILE))
        | dict.fromkeys(("t1c", "t2w", "t2f"), "none"),
        *(session(f"broken{k}", t1n=dicom(data / f"{k} {SHELL}", {k: v})) for k, v in BROKEN.items()),
    ]
    sheet = write_sheet(data / "samples.tsv", rows)
    targets = [converted(row["subject"]) for row in rows]
    runs = (("--keep-going", *targets), (converted("nifti"), "--report", "report.html"))
    printed = "".join(_printed(command(directory, sheet, *arguments)) for arguments in runs)
    return Hostile(directory, printed, data)


def _printed(arguments: list[str]) -> str:
    return subprocess.run(
        arguments,
        cwd=REPOSITORY,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        umask=0o077,
        timeout=600,
    ).stdout


@pytest.mark.parametrize("subject", ["nifti", "dicom", "study"])
def test_a_path_that_a_shell_would_obey_is_a_path(hostile: Hostile, subject: str) -> None:
    image = nib.load(hostile.directory / converted(subject))
    np.testing.assert_allclose(image.get_fdata(), scan().get_fdata(), atol=0.1)


def test_nothing_in_a_path_was_run(hostile: Hostile) -> None:
    places = (hostile.data.parent, Path.cwd(), REPOSITORY)
    assert not [path for place in places for path in place.rglob("pwned*")]


@pytest.mark.parametrize("keyword", BROKEN)
def test_a_broken_header_ends_in_a_sentence_or_is_left_out(hostile: Hostile, keyword: str) -> None:
    (log,) = (hostile.directory / "logs" / "convert" / "c").glob(f"sub-broken{keyword}_*")
    assert "Traceback" not in log.read_text()
    assert (
        hostile.directory / converted(f"broken{keyword}")
    ).exists() or "ERROR c/sub-broken" in log.read_text()


def test_no_value_of_a_header_is_in_a_result_a_log_the_report_or_on_the_screen(hostile: Hostile) -> None:
    everything = text_of_everything(hostile.directory) | {"screen": hostile.printed.encode()}
    assert "report.html" in everything
    written = {name: text for name, text in everything.items() if not name.endswith(".html")}
    assert not {value: found for value in SECRETS[:-1] if (found := holders(everything, value))}
    assert not holders(written, "<script>")
    assert not holders(everything, "alert(1)")


def test_the_umask_decides_who_may_read_what_a_run_leaves(hostile: Hostile) -> None:
    folders = [hostile.directory / name for name in ("results", "logs", "benchmarks", "report.html")]
    paths = [p for folder in folders for p in (folder, *folder.rglob("*"))]
    assert len(paths) > 20
    assert not [path for path in paths if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
