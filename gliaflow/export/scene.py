"""A scene of 3D Slicer: a session's images, its label map over them, and the colours of the labels."""

from collections.abc import Mapping
from os.path import relpath
from pathlib import Path
from xml.etree import ElementTree as xml

from gliaflow.images import write_bytes
from gliaflow.labels import label_table

VIEWS = ("Red", "Yellow", "Green")
FILE_OF_COLOURS = "14"
GREY, OF_LABELS = "vtkMRMLColorTableNodeGrey", "vtkMRMLColorTableNode1"


def write_scene(
    path: str | Path, images: Mapping[str, str | Path], labels: str | Path, colours: str | Path
) -> None:
    """Write a scene (``.mrml``) whose paths are relative to it, so that the folder of results can be moved.

    Parameters
    ----------
    path
        The scene.
    images
        Images on one grid by name; the first one is shown.
    labels
        Label map on that grid.
    colours
        Colour table, from `gliaflow.export.tables.write_slicer`.
    """
    folder = Path(path).parent
    scene = xml.Element("MRML", version="Slicer5.6.0", userTags="")
    _colours(scene, _within(folder, colours))
    for number, (name, image) in enumerate(images.items(), start=1):
        _volume(scene, "Scalar", number, name=name, path=_within(folder, image), colours=GREY)
    _volume(scene, "LabelMap", 1, name="label map", path=_within(folder, labels), colours=OF_LABELS)
    for view in VIEWS:
        xml.SubElement(
            scene,
            "SliceComposite",
            id=f"vtkMRMLSliceCompositeNode{view}",
            name=f"SliceComposite{view}",
            singletonTag=view,
            layoutName=view,
            backgroundVolumeID="vtkMRMLScalarVolumeNode1",
            labelVolumeID="vtkMRMLLabelMapVolumeNode1",
            labelOpacity="0.5",
        )
    xml.indent(scene, " ")
    write_bytes(path, xml.tostring(scene, encoding="utf-8", xml_declaration=True) + b"\n")


def _within(folder: Path, path: str | Path) -> str:
    return Path(relpath(path, folder)).as_posix()


def _colours(scene: xml.Element, path: str) -> None:
    storage = "vtkMRMLColorTableStorageNode1"
    xml.SubElement(scene, "ColorTableStorage", id=storage, name="label colours file", fileName=path)
    xml.SubElement(
        scene,
        "ColorTable",
        id=OF_LABELS,
        name="gliaflow labels",
        type=FILE_OF_COLOURS,
        numcolors=str(len(label_table()) + 1),
        storageNodeRef=storage,
        references=f"storage:{storage};",
    )


def _volume(scene: xml.Element, kind: str, number: int, *, name: str, path: str, colours: str) -> None:
    """Add a volume with its file and its display; ``kind`` is Scalar or LabelMap."""
    file = f"vtkMRMLVolumeArchetypeStorageNode{kind}{number}"
    display = f"vtkMRML{kind}VolumeDisplayNode{number}"
    volume = "Volume" if kind == "Scalar" else "LabelMapVolume"
    xml.SubElement(scene, "VolumeArchetypeStorage", id=file, name=f"{name} file", fileName=path)
    xml.SubElement(
        scene,
        f"{kind}VolumeDisplay",
        id=display,
        name=f"{name} display",
        colorNodeID=colours,
        references=f"color:{colours};",
    )
    xml.SubElement(
        scene,
        volume,
        id=f"vtkMRML{kind}VolumeNode{number}",
        name=name,
        storageNodeRef=file,
        displayNodeRef=display,
        references=f"display:{display};storage:{file};",
    )
