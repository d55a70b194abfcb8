"""DICOM-SEG holds the label map where it lies in the patient, refers to its series, and tells of nobody."""

import json
import random
from pathlib import Path

import highdicom as hd
import nibabel as nib
import numpy as np
import pydicom
import pytest
from dicom_files import LOCALISER, SECRETS, STUDY, edit, enhanced, head, numbered, series, zipped
from pydicom.uid import UID

from gliaflow.convert.source import convert_source
from gliaflow.errors import ConversionError, ImageError
from gliaflow.export.dicom_seg import Owner, deidentified, label_segments, make_dicom_seg, on_source, uid_of
from gliaflow.export.session import Place, content_of, export_dicom_seg, labels_content
from gliaflow.export.source import Source, read_source
from gliaflow.images import RAS_TO_LPS, data_of, new_image, to_ras, write_image
from gliaflow.preprocess.transforms import write_transform

SETTINGS = {"max_slice_gap": 0.1, "min_slices": 8}
OWNER = Owner("P01", "2")
SAID = {"Regions": ["WT", "TC", "ET"], "Model": "tumourmodel", "ModelSha256": "ab" * 32}


def source_in(folder: Path, work: Path, key: str | None = None) -> Source:
    return read_source(folder, key=key, settings=SETTINGS, work=work)


def balls(grid: nib.Nifti1Image) -> nib.Nifti1Image:
    """Three labels inside each other, off the middle so that no flip can pass."""
    points = nib.affines.apply_affine(grid.affine, np.moveaxis(np.indices(grid.shape), 0, -1))
    centre = nib.affines.apply_affine(grid.affine, np.array(grid.shape) * (0.4, 0.55, 0.6))
    distance = np.linalg.norm(points - centre, axis=-1)
    labels = np.zeros(grid.shape, np.uint8)
    for value, radius in ((2, 7.0), (3, 4.5), (1, 2.5)):
        labels[distance < radius] = value
    return new_image(labels, grid.affine, np.uint8)


def labels_at(labels: nib.Nifti1Image, points: np.ndarray) -> np.ndarray:
    """What a label map has at points of RAS+ mm."""
    voxels = np.rint(nib.affines.apply_affine(np.linalg.inv(labels.affine), points)).astype(int)
    inside = ((voxels >= 0) & (voxels < labels.shape)).all(axis=-1)
    found = np.zeros(inside.shape, int)
    found[inside] = data_of(labels, np.uint8)[tuple(voxels[inside].T)]
    return found


def overlaps(path: Path, labels: nib.Nifti1Image, to_labels: np.ndarray | None = None) -> list[float]:
    """Dice of each label between what highdicom reads of a file and the map, in patient space."""
    volume = hd.seg.segread(path).get_volume(combine_segments=True)
    affine = (np.eye(4) if to_labels is None else to_labels) @ RAS_TO_LPS @ volume.affine
    voxels = np.moveaxis(np.indices(volume.array.shape), 0, -1)
    there = labels_at(labels, nib.affines.apply_affine(affine, voxels))
    assert (np.bincount(volume.array.ravel(), minlength=4)[1:4] > 0).all()
    return [
        2 * ((volume.array == k) & (there == k)).sum() / ((volume.array == k).sum() + (there == k).sum())
        for k in (1, 2, 3)
    ]


def place_in(folder: Path, work: Path, **changes) -> tuple[Place, nib.Nifti1Image]:
    """A place for the export of a series that was converted, and what it was converted to."""
    native = convert_source(folder, key=None, settings=SETTINGS, work=work).image
    write_image(work / "native.nii.gz", data_of(native), native.affine)
    write_transform(work / "to_ref.tfm", np.eye(4))
    settings = {
        "source": source_in(folder, work),
        "native": str(work / "native.nii.gz"),
        "to_ref": str(work / "to_ref.tfm"),
        "identifiers": "linked",
        "owner": OWNER,
        "name": "one/sub-P01/ses-2 t1n",
    }
    return Place(**{**settings, **changes}), native


def export(
    work: Path, place: Place, labels: nib.Nifti1Image, said: dict = SAID, name: str = "a_dseg.dcm"
) -> Path:
    write_image(work / "labels.nii.gz", data_of(labels, np.uint8), labels.affine, np.uint8)
    image = str(work / "labels.nii.gz")
    export_dicom_seg(work / name, image, place, labels_content(said), sources=["sheet"], space="t1n")
    return work / name


def renamed(paths: list[Path]) -> None:
    """Names that tell nothing of the order of slices."""
    order = list(range(len(paths)))
    random.Random(1).shuffle(order)
    for path, number in zip(paths, order, strict=True):
        path.rename(path.with_name(f"{number:03d}"))


def nothing(paths: list[Path]) -> None:
    pass


@pytest.mark.parametrize(
    ("image", "change"),
    [
        (head(), nothing),
        (head(flips=(-1, 1, -1)), nothing),
        (head(), renamed),
        (head(angles=(0.3, -0.2, 0.4)), nothing),
        (head(angles=(-0.5, 0.1, 1.2), size=(0.7, 0.8, 5.5), flips=(1, -1, 1)), renamed),
    ],
    ids=["axial", "flipped", "unsorted", "oblique", "oblique, thick and unsorted"],
)
def test_voxels_agree_with_the_label_map_in_the_patient(tmp_path, image, change):
    change(series(tmp_path / "series", image=image))
    place, native = place_in(tmp_path / "series", tmp_path)
    labels = balls(native)
    assert overlaps(export(tmp_path, place, labels), labels) == [1, 1, 1]


def test_an_edited_label_map_is_called_semiautomatic(tmp_path):
    series(tmp_path / "series")
    place, native = place_in(tmp_path / "series", tmp_path)
    kinds = {}
    for name, said in (("made", SAID), ("edited", SAID | {"Review": {"Decision": "edit"}})):
        made = pydicom.dcmread(export(tmp_path, place, balls(native), said, f"{name}_dseg.dcm"))
        kinds[name] = {segment.SegmentAlgorithmType for segment in made.SegmentSequence}
    assert kinds == {"made": {"AUTOMATIC"}, "edited": {"SEMIAUTOMATIC"}}


def test_a_zip_and_an_enhanced_file_serve_as_well(tmp_path):
    paths = series(tmp_path / "series")
    for folder in (
        zipped(tmp_path / "series", tmp_path / "series.zip"),
        enhanced(paths, tmp_path / "enhanced"),
    ):
        place, native = place_in(folder, tmp_path)
        path = export(tmp_path, place, balls(native))
        assert overlaps(path, balls(native)) == [1, 1, 1]
    assert place.source.multi_frame
    made = pydicom.dcmread(path)
    referred = [
        frame.DerivationImageSequence[0].SourceImageSequence[0]
        for frame in made.PerFrameFunctionalGroupsSequence
    ]
    positions = {f: tuple(p) for f, p in zip(place.source.frames, place.source.positions, strict=True)}
    for frame, item in zip(made.PerFrameFunctionalGroupsSequence, referred, strict=True):
        assert frame.PlanePositionSequence[0].ImagePositionPatient == pytest.approx(
            positions[item.ReferencedFrameNumber]
        )


def test_another_series_of_the_session_gets_the_label_map_through_its_transform(tmp_path):
    grid = head(shape=(40, 44, 30), size=(1, 1, 1.5))
    labels = balls(grid)
    series(tmp_path / "series", image=head(shape=(50, 50, 14), angles=(0.2, 0.1, -0.3), size=(0.9, 0.9, 2.5)))
    matrix = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.05, -0.04, 0.1), (1.5, -2, 0.5))
    to_ref = tmp_path / "moved.tfm"
    write_transform(to_ref, np.linalg.inv(matrix))
    place, _ = place_in(tmp_path / "series", tmp_path, to_ref=str(to_ref))
    found = overlaps(export(tmp_path, place, labels), labels, to_labels=matrix)
    assert min(found) > 0.98


def test_it_refers_to_the_images_that_lie_where_its_frames_lie(tmp_path):
    paths = series(tmp_path / "series", image=head(angles=(0.3, -0.2, 0.4)))
    headers = {(header := pydicom.dcmread(path)).SOPInstanceUID: header for path in paths}
    place, native = place_in(tmp_path / "series", tmp_path)
    made = pydicom.dcmread(export(tmp_path, place, balls(native)))
    first = next(iter(headers.values()))
    assert made.StudyInstanceUID == first.StudyInstanceUID
    assert made.FrameOfReferenceUID == first.FrameOfReferenceUID
    assert made.ReferencedSeriesSequence[0].SeriesInstanceUID == first.SeriesInstanceUID
    assert {item.ReferencedSOPInstanceUID for item in made.SourceImageSequence} == set(headers)
    for frame in made.PerFrameFunctionalGroupsSequence:
        (item,) = frame.DerivationImageSequence[0].SourceImageSequence
        there = headers[item.ReferencedSOPInstanceUID].ImagePositionPatient
        assert frame.PlanePositionSequence[0].ImagePositionPatient == pytest.approx(list(there), abs=1e-6)


def test_segments_say_what_they_are_in_codes_and_colours_and_what_made_them(tmp_path):
    series(tmp_path / "series")
    place, native = place_in(tmp_path / "series", tmp_path)
    made = pydicom.dcmread(export(tmp_path, place, balls(native)))
    segments = made.SegmentSequence
    assert [s.SegmentLabel for s in segments] == ["necrotic core", "oedema", "enhancing"]
    kinds = [s.SegmentedPropertyTypeCodeSequence[0] for s in segments]
    assert [(k.CodingSchemeDesignator, k.CodeValue, k.CodeMeaning) for k in kinds] == [
        ("SCT", "6574001", "Necrosis"),
        ("SCT", "79654002", "Edema"),
        ("NCIt", "C113842", "Enhancing Lesion"),
    ]
    lab = [hd.color.CIELabColor.from_dicom_value(s.RecommendedDisplayCIELabValue) for s in segments]
    assert [colour.to_rgb() for colour in lab] == [(0, 114, 178), (240, 228, 66), (213, 94, 0)]
    (algorithm,) = segments[0].SegmentationAlgorithmIdentificationSequence
    assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion) == ("tumourmodel", "abababababab")
    assert made.SegmentationType == "BINARY"


@pytest.mark.parametrize(
    ("regions", "values"),
    [(["WT"], [(2, "Neoplasm")]), (["WT", "TC"], [(1, "Neoplasm"), (2, "Edema")])],
)
def test_what_a_model_did_not_tell_apart_is_no_oedema(regions, values):
    assert [(s.value, s.kind.meaning) for s in label_segments(regions)] == values


@pytest.mark.parametrize("identifiers", ["linked", "deidentified"])
def test_nothing_that_identifies_a_person_is_in_it(tmp_path, identifiers):
    edit(series(tmp_path / "series"), OperatorsName="Ada^Wilhelmine", PatientComments="Schmidt")
    place, native = place_in(tmp_path / "series", tmp_path, identifiers=identifiers)
    path = export(tmp_path, place, balls(native))
    content = path.read_bytes().lower()
    # UIDs are what linked files share with their series
    secrets = [s for s in SECRETS if s != "1.2.826"]
    assert not [s for s in secrets if s.encode() in content]
    made = pydicom.dcmread(path)
    assert (made.PatientID, str(made.PatientName), made.PatientIdentityRemoved) == ("P01", "P01^", "YES")
    empty = ("PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate", "StudyTime")
    assert not [keyword for keyword in empty if made.get(keyword)]
    assert {e.value for e in made.iterall() if e.VR in ("DA", "TM", "DT") and e.value} == {
        "19700101",
        "000000",
    }
    header = pydicom.dcmread(next((tmp_path / "series").iterdir()))
    uids = {header.StudyInstanceUID, header.SeriesInstanceUID, header.FrameOfReferenceUID}
    found = {e.value for e in made.iterall() if e.VR == "UI"}
    assert uids <= found if identifiers == "linked" else not uids & found
    if identifiers == "deidentified":
        assert "1.2.826" not in " ".join(map(str, found))


def test_replaced_uids_still_hold_together_and_are_always_the_same(tmp_path):
    series(tmp_path / "series")
    source = source_in(tmp_path / "series", tmp_path)
    other = deidentified(source)
    assert np.array_equal(other.positions, source.positions)
    assert len(set(other.instances)) == len(source.instances)
    assert not {*source.instances, source.study, source.series} & {
        *other.instances,
        other.study,
        other.series,
    }
    assert other.instances == deidentified(source).instances
    assert uid_of("a", "b") != uid_of("ab")
    assert all(pydicom.uid.UID(uid).is_valid for uid in (*other.instances, other.study))


def test_the_same_input_gives_the_same_bytes(tmp_path):
    series(tmp_path / "series")
    place, native = place_in(tmp_path / "series", tmp_path)
    first = export(tmp_path, place, balls(native))
    second = export(tmp_path, place, balls(native), name="b_dseg.dcm")
    assert first.read_bytes() == second.read_bytes()
    third = export(tmp_path, place, new_image(data_of(native) * 0, native.affine), name="c_dseg.dcm")
    assert pydicom.dcmread(first).SOPInstanceUID != pydicom.dcmread(third).SOPInstanceUID
    assert pydicom.dcmread(first).SeriesInstanceUID == pydicom.dcmread(third).SeriesInstanceUID


def test_a_session_without_a_lesion_gets_empty_segments_and_is_told(tmp_path, caplog):
    series(tmp_path / "series")
    place, native = place_in(tmp_path / "series", tmp_path)
    caplog.set_level("INFO")
    path = export(tmp_path, place, new_image(data_of(native) * 0, native.affine))
    made = hd.seg.segread(path)
    assert [s.SegmentLabel for s in made.SegmentSequence] == ["necrotic core", "oedema", "enhancing"]
    assert not made.pixel_array.any()
    said = json.loads((tmp_path / "a_dseg.json").read_text())
    assert said["Voxels"] == {"necrotic core": 0, "oedema": 0, "enhancing": 0}
    assert said["Notes"] == ["no voxel is marked: all segments are empty"]
    assert "no voxel is marked" in caplog.text


def test_a_plan_is_one_segment_of_treated_volume(tmp_path):
    series(tmp_path / "series")
    place, native = place_in(tmp_path / "series", tmp_path)
    mask = new_image(data_of(balls(native), np.uint8) > 0, native.affine, np.uint8)
    write_image(tmp_path / "plan.nii.gz", data_of(mask, np.uint8), mask.affine, np.uint8)
    for plan, label in (("model", "plan of the growth model"), ("margin15", "tumour with a margin of 15 mm")):
        path = tmp_path / f"{plan}_mask.dcm"
        content = content_of(None, plan)
        export_dicom_seg(path, str(tmp_path / "plan.nii.gz"), place, content, sources=[], space="t1n")
        made = hd.seg.segread(path)
        assert [s.SegmentLabel for s in made.SegmentSequence] == [label]
        assert made.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeValue == "228792002"
        assert made.pixel_array.sum() == data_of(mask).sum()


def test_a_label_without_a_segment_is_refused(tmp_path):
    series(tmp_path / "series")
    place, native = place_in(tmp_path / "series", tmp_path)
    slices = on_source(balls(native), place.source, native, np.eye(4), "x")
    with pytest.raises(ImageError, match=r"label values \[1, 3\] are not among \[2\]"):
        make_dicom_seg(slices, place.source, labels_content({**SAID, "Regions": ["WT"]}), OWNER)


def test_a_series_that_was_not_converted_is_refused(tmp_path):
    series(tmp_path / "series")
    place, native = place_in(tmp_path / "series", tmp_path)
    moved = new_image(data_of(native), native.affine @ nib.affines.from_matvec(np.eye(3), (0, 0, 2)))
    with pytest.raises(ImageError, match=r"^one: its slices do not lie where those lay that were converted"):
        on_source(balls(native), place.source, moved, np.eye(4), "one")


def test_missing_slices_are_told(tmp_path):
    paths = series(tmp_path / "series")
    for path in paths[5:7]:
        path.unlink()
    with pytest.raises(ConversionError, match="about 2 of its slices are missing"):
        source_in(tmp_path / "series", tmp_path)


def test_slices_that_a_tilted_gantry_stacked_aslant_are_told(tmp_path):
    for number, path in enumerate(series(tmp_path / "series")):
        header = pydicom.dcmread(path)
        x, y, z = header.ImagePositionPatient
        edit([path], ImagePositionPatient=[x, y + 0.5 * number, z])
    with pytest.raises(ConversionError, match=r"stacked aslant, the farthest 5\.5 mm aside"):
        source_in(tmp_path / "series", tmp_path)


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SOPInstanceUID", "PixelSpacing"])
def test_headers_without_what_is_needed_are_told(tmp_path, keyword):
    for path in series(tmp_path / "series"):
        header = pydicom.dcmread(path)
        delattr(header, keyword)
        header.save_as(path)
    with pytest.raises(ConversionError, match="lack UIDs that tell its study and images, or how far"):
        source_in(tmp_path / "series", tmp_path)


@pytest.mark.parametrize(
    "keyword", ["StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPClassUID"]
)
@pytest.mark.parametrize("value", ["Schmidt.Wilhelmine", "1.2.Schmidt", "<script>"])
@pytest.mark.filterwarnings("ignore:Invalid value for VR UI")
def test_a_name_in_place_of_a_uid_goes_nowhere(tmp_path, keyword, value):
    for path in series(tmp_path / "series"):
        header = pydicom.dcmread(path)
        header[keyword]._value = UID(value)
        header.save_as(path)
    with pytest.raises(ConversionError, match="lack UIDs that tell its study and images, or how far") as told:
        source_in(tmp_path / "series", tmp_path)
    assert value not in str(told.value)


def test_a_series_without_a_frame_of_reference_gets_one(tmp_path):
    for path in series(tmp_path / "series"):
        header = pydicom.dcmread(path)
        del header.FrameOfReferenceUID
        header.save_as(path)
    for identifiers in ("linked", "deidentified"):
        place, native = place_in(tmp_path / "series", tmp_path, identifiers=identifiers)
        assert overlaps(export(tmp_path, place, balls(native)), balls(native)) == [1, 1, 1]


def test_a_localiser_beside_the_series_does_not_matter_and_another_scan_does(tmp_path):
    series(tmp_path / "both" / "a")
    series(tmp_path / "both" / "b", LOCALISER, head(shape=(20, 24, 3)))
    assert len(source_in(tmp_path / "both", tmp_path).instances) == 12
    series(tmp_path / "both" / "c", numbered(5, "AX T2"))
    with pytest.raises(ConversionError, match="holds 2 series, but one is needed"):
        source_in(tmp_path / "both", tmp_path)


def test_the_grid_is_that_of_the_converted_image(tmp_path):
    series(tmp_path / "series", image=head(angles=(0.3, -0.2, 0.4)))
    place, native = place_in(tmp_path / "series", tmp_path)
    assert np.allclose(to_ras(place.source.grid).affine, native.affine, atol=1e-4)
    assert STUDY.patient_name not in repr(place.source)
