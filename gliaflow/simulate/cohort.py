"""The demo cohort: four invented subjects whose scans come in every form that a sample sheet may name."""

import gzip
import logging
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from gliaflow.errors import ConfigError
from gliaflow.images import GZIP_LEVEL, Array, data_of, new_image, spacing_of, write_bytes, write_image
from gliaflow.labels import SEQUENCES
from gliaflow.simulate.acquisition import acquire, random_motion
from gliaflow.simulate.contrasts import add_scanner_effects, render
from gliaflow.simulate.dicom import StudyHeader, write_series
from gliaflow.simulate.fields import named_rng
from gliaflow.simulate.heads import Head, make_head
from gliaflow.simulate.protocols import DISTRACTORS, ISOCENTRE_MM, PROTOCOLS, Series
from gliaflow.simulate.truth import SessionTruth, write_truth
from gliaflow.simulate.tumours import TumourShape, make_tumour, region_volumes_ml

ROTATION_DEG = (2.0, 6.0)
SHIFT_MM = (2.0, 8.0)
COLUMNS = (
    *("cohort", "subject", "session", "days", *SEQUENCES, "dwi", "dicom"),
    *("brain_mask", "label", "raters", "stripped", "registered"),
)
ZIP_DATE = (1980, 1, 1, 0, 0, 0)
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DemoSession:
    """One session of the demo.

    ``scans`` names for each sequence its file or folder within the session's folder; a name without
    suffix is a DICOM folder. ``study`` names the folder of a whole study in their place.
    """

    subject: str
    session: str
    days: int
    scanner: str
    tumour: TumourShape
    scans: Mapping[str, str]
    study: str | None = None

    @property
    def sequences(self) -> tuple[str, ...]:
        """The sequences that were acquired."""
        return SEQUENCES if self.study else tuple(self.scans)


FOLDERS = {sequence: sequence for sequence in SEQUENCES}
FILES = {sequence: f"{sequence}.nii.gz" for sequence in SEQUENCES}
DEMO = (
    DemoSession("demo01", "1", 0, "a", TumourShape(1, 14.0, 18.0), {}, study="dicom"),
    DemoSession(
        *("demo02", "1", 0, "b", TumourShape(-1, 12.0, 16.0)), {"t1c": "t1c", "t2w": "t2w.zip", "t2f": "t2f"}
    ),
    DemoSession("demo03", "1", 0, "b", TumourShape(-1, 16.0, 14.0), FILES),
    DemoSession("demo04", "1", 0, "a", TumourShape(1, 11.0, 13.0), FOLDERS),
    DemoSession("demo04", "2", 180, "a", TumourShape(1, 15.0, 18.0), FOLDERS),
)
PEOPLE: Mapping[str, tuple[str, str, str, str]] = {
    "demo01": ("Planted^Rosalind", "PLANT-4711-Q", "19210203", "F"),
    "demo02": ("Planted^Ottokar", "PLANT-5822-R", "19221114", "M"),
    "demo03": ("Planted^Leocadia", "PLANT-6933-S", "19230625", "F"),
    "demo04": ("Planted^Barnabas", "PLANT-7044-T", "19240816", "M"),
}
"""Invented name, number, birth date and sex."""
FIRST_STUDY = np.datetime64("1999-04-03")
NIFTI_ORIENTATION = {"t1n": "RAS", "t1c": "LPS", "t2w": "LAS", "t2f": "PIR"}


def demo_sheet(prefix: str = "../demo") -> str:
    """Return the demo's sample sheet as tab-separated text; ``prefix`` leads from the sheet to the scans."""
    lines = ["\t".join(COLUMNS)]
    for demo in DEMO:
        folder = f"{prefix}/sub-{demo.subject}/ses-{demo.session}"
        cells = {"cohort": "demo", "subject": demo.subject, "session": demo.session, "days": str(demo.days)}
        cells |= {sequence: f"{folder}/{name}" for sequence, name in demo.scans.items()}
        cells |= {"dicom": f"{folder}/{demo.study}"} if demo.study else {}
        lines.append("\t".join(cells.get(column, "") for column in COLUMNS))
    return "\n".join(lines) + "\n"


def write_session(folder: Path, subject: str, session: str, *, seed: int, resolution_mm: float = 1.5) -> None:
    """Write the scans of one demo session, and the truth about them in ``truth/``.

    Parameters
    ----------
    folder
        ``demo/sub-<subject>/ses-<session>``; made where absent.
    subject, session
        A row of ``DEMO``.
    seed
        Decides everything: the same seed gives the same bytes.
    resolution_mm
        Voxel edge of the anatomy that is scanned.

    Raises
    ------
    ConfigError
        The demo has no such session.
    """
    demo = find_session(subject, session)
    head = make_head(named_rng(seed, subject, "head"), resolution_mm)
    labels = make_tumour(head, demo.tumour, named_rng(seed, subject, "tumour"))
    study = study_header(demo, seed)
    to_anatomy = write_scans(folder, demo, head, labels, study=study, seed=seed)
    truth = SessionTruth(
        subject=subject,
        session=session,
        days=demo.days,
        seed=seed,
        resolution_mm=resolution_mm,
        to_anatomy=to_anatomy,
        volumes_ml=region_volumes_ml(labels, head.affine),
        planted=planted_values(study),
    )
    write_truth_folder(folder / "truth", head, labels, truth)


def find_session(subject: str, session: str) -> DemoSession:
    """Return a row of ``DEMO``."""
    for demo in DEMO:
        if (demo.subject, demo.session) == (subject, session):
            return demo
    known = ", ".join(f"{demo.subject}/{demo.session}" for demo in DEMO)
    raise ConfigError(f"the demo has no session {subject}/{session}; it has {known}")


def study_header(demo: DemoSession, seed: int) -> StudyHeader:
    """Return the invented person and place of a session."""
    name, number, birth_date, sex = PEOPLE[demo.subject]
    return StudyHeader(
        patient_name=name,
        patient_id=number,
        birth_date=birth_date,
        sex=sex,
        study_date=str(FIRST_STUDY + demo.days).replace("-", ""),
        accession_number=f"ACC{number[6:10]}{demo.session}PLANT",
        institution="Plantedshire Infirmary, 12 Invented Lane",
        referring_physician="Plantwright^Hildegund",
        uid_seed=f"{seed}/{demo.subject}/{demo.session}",
    )


def planted_values(study: StudyHeader) -> tuple[str, ...]:
    """Return the identifying values of a header, as they stand and the parts that a tool may split off."""
    physician, given = study.referring_physician, study.patient_name.split("^")[1]
    person = (study.patient_name, given, study.patient_id, study.birth_date, study.accession_number)
    return (*person, study.study_date, "Plantedshire", "Invented Lane", physician, *physician.split("^"))


def write_scans(
    folder: Path, demo: DemoSession, head: Head, labels: Array, *, study: StudyHeader, seed: int
) -> dict[str, Array]:
    """Scan and write every series of a session; return each sequence's motion, shape (4, 4)."""
    folder.mkdir(parents=True, exist_ok=True)
    to_anatomy: dict[str, Array] = {}
    for sequence in demo.sequences:
        series = PROTOCOLS[demo.scanner][sequence]
        image, to_anatomy[sequence] = scan(demo, series, head, labels, seed)
        write_scan(folder / scan_name(demo, series, sequence), image, series, study)
    for series in DISTRACTORS if demo.study else ():
        image, _ = scan(demo, series, head, labels, seed)
        write_scan(folder / scan_name(demo, series), image, series, study)
    return to_anatomy


def scan_name(demo: DemoSession, series: Series, sequence: str | None = None) -> str:
    """Return where a series goes within the session's folder."""
    if demo.study:
        return f"{demo.study}/S{series.header.number:04d}"
    return demo.scans[sequence or series.signal]


def scan(
    demo: DemoSession, series: Series, head: Head, labels: Array, seed: int
) -> tuple[nib.Nifti1Image, Array]:
    """Return one series as whole numbers on the scanner's grid, and the motion of its patient."""
    rng = named_rng(seed, demo.subject, demo.session, series.header.description, str(series.header.number))
    to_anatomy = random_motion(rng, ROTATION_DEG, SHIFT_MM)
    signal = new_image(render(head, labels, series.signal), head.affine)
    clean = acquire(signal, series.geometry, ISOCENTRE_MM, to_anatomy)
    seen = add_scanner_effects(data_of(clean), spacing_of(clean), rng)
    return new_image(np.rint(seen), clean.affine, np.int16), to_anatomy


def write_scan(path: Path, image: nib.Nifti1Image, series: Series, study: StudyHeader) -> None:
    """Write a series in the form that its name asks for: NIfTI, zipped DICOM, or a DICOM folder."""
    if path.name.endswith(".nii.gz"):
        write_scanner_nifti(path, image, NIFTI_ORIENTATION[series.signal], study)
    elif path.suffix == ".zip":
        with tempfile.TemporaryDirectory() as scratch:
            write_zip(path, write_series(image, Path(scratch) / path.stem, series.header, study))
    else:
        write_series(image, path, series.header, study)
    logger.info("wrote %s, %d slices", path.name, image.shape[2])


def write_scanner_nifti(path: Path, image: nib.Nifti1Image, orientation: str, study: StudyHeader) -> None:
    """Write int16 NIfTI in a given voxel orientation, with a name in its header as some converters leave."""
    start = nib.orientations.io_orientation(image.affine)
    turned = image.as_reoriented(
        nib.orientations.ornt_transform(start, nib.orientations.axcodes2ornt(orientation))
    )
    stored = new_image(np.asanyarray(turned.dataobj), turned.affine, np.int16)
    stored.header["descrip"] = f"{study.patient_name} {study.birth_date}".encode()
    write_bytes(path, gzip.compress(stored.to_bytes(), compresslevel=GZIP_LEVEL, mtime=0))


def write_zip(path: Path, files: list[Path]) -> None:
    """Pack files under the name of their folder, without the time of packing."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(f"{file.parent.name}/{file.name}", ZIP_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, file.read_bytes())


def write_truth_folder(folder: Path, head: Head, labels: Array, truth: SessionTruth) -> None:
    """Write label map, brain mask and healthy tissue in anatomy space, and ``truth.json``."""
    folder.mkdir(exist_ok=True)
    images = {"label": labels, "brain_mask": head.brain, "tissue": head.tissue()}
    for name, data in images.items():
        write_image(folder / f"{name}.nii.gz", data, head.affine, np.uint8)
    write_truth(folder, truth)
    logger.info("wrote %s: %s", folder.name, ", ".join(images))
