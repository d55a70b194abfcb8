"""Label tables and scenes as ITK-SNAP, 3D Slicer and FreeSurfer read them."""

import re
from pathlib import Path
from xml.etree import ElementTree as xml

import pytest
from matplotlib.colors import to_rgb

from gliaflow.export.bids import write_lookup
from gliaflow.export.scene import write_scene
from gliaflow.export.tables import write_freesurfer, write_itksnap, write_slicer
from gliaflow.labels import label_table

WRITERS = {write_itksnap: "a.txt", write_slicer: "a.ctbl", write_freesurfer: "lut.txt"}
SNAP = re.compile(r'^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(1)\s+1\s+1\s+"([^"]+)"$')
WORDS = re.compile(r"^(\d+)\s+(\S+)\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)$")


def expected(joined: str) -> list[tuple]:
    return [
        (label.value, *(round(255 * part) for part in to_rgb(label.colour)), label.name.replace(" ", joined))
        for label in label_table()
    ]


def test_itksnap_reads_values_colours_and_names(tmp_path):
    write_itksnap(tmp_path / "a.txt")
    found = filter(None, map(SNAP.match, (tmp_path / "a.txt").read_text().splitlines()))
    assert [(*map(int, m.groups()[:4]), m[6]) for m in found] == expected(" ")


@pytest.mark.parametrize(("write", "opaque"), [(write_slicer, 255), (write_freesurfer, 0)])
def test_slicer_and_freesurfer_read_the_same(tmp_path, write, opaque):
    write(tmp_path / "a.txt")
    lines = [line for line in (tmp_path / "a.txt").read_text().splitlines() if not line.startswith("#")]
    rows = [WORDS.match(line).groups() for line in lines]
    assert [(int(v), int(r), int(g), int(b), name) for v, name, r, g, b, _ in rows[1:]] == expected("_")
    assert {int(row[5]) for row in rows[1:]} == {opaque}
    assert rows[0][0] == "0"


def test_bids_reads_the_same(tmp_path):
    write_lookup(tmp_path / "dseg.tsv")
    head, background, *rows = (line.split("\t") for line in (tmp_path / "dseg.tsv").read_text().splitlines())
    assert (head, background[0]) == (["index", "name", "color"], "0")
    assert rows == [[str(label.value), label.name, label.colour] for label in label_table()]


def test_the_same_table_gives_the_same_bytes(tmp_path):
    for write, name in WRITERS.items():
        write(tmp_path / name)
        first = (tmp_path / name).read_bytes()
        write(tmp_path / name)
        assert (tmp_path / name).read_bytes() == first


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    folder = tmp_path / "sub-1" / "ses-1"
    for name in ("anat/a.nii.gz", "anat/b.nii.gz", "seg/l.nii.gz", "export/x", "../../colours.ctbl"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    images = {"t1c": folder / "anat/a.nii.gz", "t2f": folder / "anat/b.nii.gz"}
    path = folder / "export" / "scene.mrml"
    write_scene(path, images, folder / "seg/l.nii.gz", tmp_path / "colours.ctbl")
    return path


def test_a_scene_names_its_files_relative_to_itself(scene):
    names = [node.get("fileName") for node in xml.parse(scene).iter() if node.get("fileName")]
    assert names == ["../../../colours.ctbl", "../anat/a.nii.gz", "../anat/b.nii.gz", "../seg/l.nii.gz"]
    assert all((scene.parent / name).exists() for name in names)


def test_every_node_that_a_scene_refers_to_is_there(scene):
    nodes = list(xml.parse(scene).getroot())
    ids = [node.get("id") for node in nodes]
    assert len(set(ids)) == len(ids)
    own = {*ids, "vtkMRMLColorTableNodeGrey"}
    referred = {
        part.split(":")[-1]
        for node in nodes
        for key, value in node.items()
        if key in ("references", "storageNodeRef", "displayNodeRef", "colorNodeID")
        or key.endswith("VolumeID")
        for part in value.strip(";").split(";")
    }
    assert referred
    assert referred <= own
