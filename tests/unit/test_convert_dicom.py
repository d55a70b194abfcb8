"""From DICOM to one checked image: what converts, and what is refused with which reason."""

import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import dcm2niix
import nibabel as nib
import numpy as np
import pytest
from dicom_files import (
    LOCALISER,
    SECRETS,
    T1,
    compress,
    deflate,
    edit,
    enhanced,
    head,
    numbered,
    series,
    zipped,
)
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from gliaflow.config.settings import complete_config
from gliaflow.convert import dicom
from gliaflow.convert.dicom import SIDECAR_KEYS, SOFTWARE_KEYS
from gliaflow.convert.scan import scan_study
from gliaflow.convert.source import convert_source
from gliaflow.errors import ConversionError
from gliaflow.simulate.dicom import INT16_MAX

SETTINGS = complete_config({})["convert"]
REAL = Path(__file__).parents[3] / "shared" / "data" / "dicom-t1-head"


def convert(source, key=None, **settings):
    work = source.parent / "work"
    work.mkdir(exist_ok=True)
    result = convert_source(source, key=key, work=work, settings=SETTINGS | settings)
    assert not list(work.iterdir())
    return result


def assert_same(result, image):
    """The image in RAS+, the same values at the same places."""
    expected = nib.as_closest_canonical(image)
    assert nib.aff2axcodes(result.image.affine) == ("R", "A", "S")
    assert result.image.get_data_dtype() == np.float32
    np.testing.assert_allclose(result.image.affine, expected.affine, atol=1e-4)
    step = np.abs(image.get_fdata()).max() / INT16_MAX
    np.testing.assert_allclose(result.image.get_fdata(), expected.get_fdata(), atol=0.51 * step)


@pytest.mark.parametrize(
    "image",
    [
        head(),
        head(flips=(-1, -1, 1)),
        head(flips=(1, -1, -1)),
        head(angles=(0.3, -0.4, 0.6)),
        head(angles=(0.2, 0.3, -0.1), flips=(-1, 1, -1)),
        head(angles=(0.0, np.pi / 2, 0.0)),
    ],
    ids=["RAS", "LPS", "RPI", "oblique", "oblique-flipped", "sagittal"],
)
def test_values_and_places_survive(tmp_path, image):
    series(tmp_path / "in", image=image)
    assert_same(convert(tmp_path / "in"), image)


def test_a_zip_and_a_path_with_blanks(tmp_path):
    folder = tmp_path / "a folder; with $(blanks)"
    folder.mkdir()
    series(folder / "in")
    assert_same(convert(zipped(folder / "in", folder / "scan 1.zip")), head())


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
@pytest.mark.parametrize("decoder", ["pydicom", "dcm2niix"])
def test_compressed_pixels(tmp_path, monkeypatch, syntax, decoder):
    image = head((40, 48, 10))
    paths = series(tmp_path / "in", image=image)
    try:
        compress(paths, syntax)
    except RuntimeError:
        pytest.skip(f"no encoder for {syntax.name}")
    if decoder == "dcm2niix":
        monkeypatch.setattr(dicom, "get_decoder", lambda _: replace_decoder())
    assert_same(convert(tmp_path / "in"), image)


def replace_decoder():
    class Absent:
        is_available = False

    return Absent


def test_deflated_files(tmp_path):
    deflate(series(tmp_path / "in"), DeflatedExplicitVRLittleEndian)
    assert_same(convert(tmp_path / "in"), head())


def test_damaged_compressed_pixels(tmp_path):
    paths = series(tmp_path / "in")
    compress(paths, RLELossless)
    content = bytearray(paths[3].read_bytes())
    content[-200:] = bytes(200)
    paths[3].write_bytes(content[:-120])
    with pytest.raises(ConversionError, match=r"cut short|cannot be decompressed"):
        convert(tmp_path / "in")


def test_multi_frame(tmp_path):
    image = head(angles=(0.2, 0.1, 0.3))
    paths = series(tmp_path / "plain", image=image)
    assert_same(convert(enhanced(paths, tmp_path / "in")), image)


def test_multi_frame_with_a_missing_frame(tmp_path):
    paths = series(tmp_path / "plain")
    with pytest.raises(ConversionError, match="about 1 of its slices are missing"):
        convert(enhanced([*paths[:4], *paths[5:]], tmp_path / "in"))


def test_a_localiser_and_other_files_are_left_out(tmp_path):
    series(tmp_path / "in" / "a", LOCALISER, head((16, 16, 3)))
    series(tmp_path / "in" / "b")
    (tmp_path / "in" / "readme.txt").write_text("x")
    result = convert(tmp_path / "in")
    assert_same(result, head())
    assert result.notes == (
        "files left out because they are no DICOM images: 1",
        "localiser series left out: 1",
    )


def test_a_repeated_file_is_noted(tmp_path):
    paths = series(tmp_path / "in")
    shutil.copy(paths[4], tmp_path / "in" / "copy.dcm")
    result = convert(tmp_path / "in")
    assert_same(result, head())
    assert result.notes == ("files left out because they repeat others: 1",)


def test_images_that_never_arrived_are_noted(tmp_path):
    paths = series(tmp_path / "in")
    edit(paths, ImagesInAcquisition=12)
    for path in paths[-2:]:
        path.unlink()
    assert convert(tmp_path / "in").notes == ("images: 10, but the header says 12 were acquired",)


def test_a_key_chooses_one_series_of_a_study(tmp_path):
    second = head(seed=1)
    series(tmp_path / "in" / "a")
    series(tmp_path / "in" / "b", numbered(4, "AX T1 POST"), second)
    keys = [s.key for s in scan_study(tmp_path / "in", tmp_path).series]
    assert_same(convert(tmp_path / "in", keys[0]), head())
    assert_same(convert(tmp_path / "in", keys[1]), second)
    with pytest.raises(ConversionError, match="no longer there"):
        convert(tmp_path / "in", "0" * 12)


def test_two_series_in_one_folder(tmp_path):
    series(tmp_path / "in")
    series(tmp_path / "in" / "b", numbered(4, "AX T1 Schmidt"))
    with pytest.raises(ConversionError, match="holds 2 series") as caught:
        convert(tmp_path / "in")
    assert "series=NUMBER" in str(caught.value)
    assert "AX T1 [removed]" in str(caught.value)


def repeat(folder: Path, indices) -> None:
    """Add slices once more, as the next time point of the same series."""
    paths = series(folder)
    again = series(folder / "again")
    for index, path in enumerate(again):
        if index in indices:
            edit([path], SOPInstanceUID=f"1.2.3.{index}", TemporalPositionIdentifier=2, AcquisitionNumber=2)
        else:
            path.unlink()
    assert len(paths) == 12


def other_size(paths):
    narrow = series(paths[0].parent / "narrow", image=head((18, 24, 12)))
    for path, other in zip(paths[:5], narrow, strict=False):
        other.replace(path)
    shutil.rmtree(paths[0].parent / "narrow")


DAMAGES = {
    "missing": lambda paths: paths[4].unlink(),
    "pixels cut": lambda paths: paths[4].write_bytes(paths[4].read_bytes()[:-200]),
    "header cut": lambda paths: paths[11].write_bytes(paths[11].read_bytes()[:600]),
    "no pixels": lambda paths: edit([paths[4]], PixelData=b""),
    "other size": other_size,
    "CT": lambda paths: edit(paths, Modality="CT"),
    "colour": lambda paths: edit(
        paths, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0
    ),
    "no positions": lambda paths: edit(paths, ImagePositionPatient=None),
    "turned": lambda paths: edit(paths[:5], ImageOrientationPatient=[0, 1, 0, 0, 0, -1]),
    "constant": lambda paths: edit(paths, PixelData=bytes(2 * 20 * 24)),
    "uneven": lambda paths: edit([paths[5]], ImagePositionPatient=[11, -7.5, 46.9]),
}


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("missing", "about 1 of its slices are missing"),
        ("pixels cut", "cut short or missing"),
        ("header cut", "1 of its DICOM files are damaged"),
        ("no pixels", "cut short or missing"),
        ("other size", r"several sizes \(18x24 and 20x24\)"),
        ("CT", "its modality is CT, but MR is needed"),
        ("colour", "colour pictures"),
        ("no positions", "do not say where they lie"),
        ("turned", "several orientations"),
        ("constant", "the image is empty"),
        ("uneven", "not those of one evenly sliced volume"),
    ],
)
def test_what_is_refused(tmp_path, kind, reason):
    DAMAGES[kind](series(tmp_path / "in"))
    with pytest.raises(ConversionError, match=reason) as caught:
        convert(tmp_path / "in")
    assert str(caught.value).startswith(str(tmp_path / "in"))
    assert not any(secret in str(caught.value).lower() for secret in SECRETS)


def test_several_images_at_each_place(tmp_path):
    repeat(tmp_path / "in", range(12))
    with pytest.raises(ConversionError, match="2 images at each of its 12 slice positions"):
        convert(tmp_path / "in")


def test_some_slices_twice(tmp_path):
    repeat(tmp_path / "in", (3, 4))
    with pytest.raises(ConversionError, match="2 of its 12 slice positions hold several"):
        convert(tmp_path / "in")


def test_slight_unevenness_is_bounded_by_the_setting(tmp_path):
    paths = series(tmp_path / "in")
    edit([paths[5]], ImagePositionPatient=[11, -7.5, 46.5])
    with pytest.raises(ConversionError, match="max_slice_gap"):
        convert(tmp_path / "in")
    assert convert(tmp_path / "in", max_slice_gap=0.2).image.shape == (20, 24, 12)


def test_an_empty_folder_and_a_file_of_no_kind(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "scan.mgz").write_bytes(b"x")
    for name, reason in (("in", "is empty"), ("scan.mgz", "neither"), ("absent", "no such file")):
        with pytest.raises(ConversionError, match=reason):
            convert(tmp_path / name)


def test_nothing_that_comes_out_identifies_a_person(tmp_path, capfd):
    paths = series(tmp_path / "in", replace(T1, description="AX T1 Schmidt"))
    edit(paths, Manufacturer="GE Quacksalber", ScanOptions="ACC998877", PatientComments="Wilhelmine")
    result = convert(tmp_path / "in")
    written = json.dumps([dict(result.sidecar), result.notes]) + repr(result.image.to_bytes()[:352])
    shown = "".join(capfd.readouterr())
    assert not any(secret in (written + shown).lower() for secret in SECRETS)
    assert shown == ""
    assert set(result.sidecar) <= {*SIDECAR_KEYS, *SOFTWARE_KEYS}
    assert (result.sidecar["EchoTime"], result.sidecar["RepetitionTime"]) == (0.009, 0.5)


def test_the_working_folder_stays_clean(tmp_path, monkeypatch):
    series(tmp_path / "in")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    convert(tmp_path / "in")
    assert not list(here.iterdir())
    assert len(list((tmp_path / "in").iterdir())) == 12


def test_dcm2niix_is_found_without_a_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    series(tmp_path / "in")
    assert_same(convert(tmp_path / "in"), head())


@pytest.mark.parametrize(
    ("script", "reason"),
    [("exit 3", "dcm2niix cannot convert"), ("exit 0", "made 0 images"), (None, "not installed")],
)
def test_a_dcm2niix_that_fails(tmp_path, monkeypatch, script, reason):
    binary = tmp_path / "dcm2niix"
    if script is not None:
        binary.write_text(f"#!/bin/sh\necho Wilhelmine\n{script}\n")
        binary.chmod(0o755)
    monkeypatch.setattr(dcm2niix, "bin", str(binary))
    series(tmp_path / "in")
    with pytest.raises(ConversionError, match=reason) as caught:
        convert(tmp_path / "in")
    assert "Wilhelmine" not in str(caught.value)


def test_real_series_agrees_with_dcm2niix_run_by_hand(tmp_path):
    if not REAL.is_dir():
        pytest.skip("the real DICOM series is not here")
    by_hand = [dcm2niix.bin, "-z", "n", "-f", "hand", "-o", str(tmp_path), str(REAL)]
    subprocess.run(by_hand, check=True, capture_output=True)
    expected = nib.as_closest_canonical(nib.load(tmp_path / "hand.nii"))
    result = convert_source(REAL, key=None, settings=SETTINGS, work=tmp_path)
    assert result.image.shape == expected.shape == (196, 256, 256)
    np.testing.assert_allclose(result.image.affine, expected.affine, atol=1e-5)
    np.testing.assert_array_equal(result.image.get_fdata(), expected.get_fdata())
    assert result.sidecar["MagneticFieldStrength"] == 3
