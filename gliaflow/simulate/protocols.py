"""What the demo's scanners acquire: a grid, a position and a header for each sequence."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gliaflow.simulate.acquisition import Geometry
from gliaflow.simulate.dicom import SeriesHeader

ISOCENTRE_MM = (0.0, -16.0, 2.0)
"""Where the middle of the field of view lies in the scanner's world: near the middle of the head."""
DERIVED = ("DERIVED", "PRIMARY", "DIFFUSION", "ADC", "ND")


@dataclass(frozen=True)
class Series:
    """One series: which signal it shows (a column of the contrast table), its grid and its header."""

    signal: str
    geometry: Geometry
    header: SeriesHeader


ISO_SAGITTAL = Geometry("sagittal", (1.5, 1.5, 1.5), (160, 160, 124))
FINE_AXIAL = Geometry("axial", (1.5, 1.5, 2.0), (160, 160, 96))
THICK_AXIAL = Geometry("axial", (1.2, 1.2, 4.0), (160, 192, 48), tilt_deg=8.0)
FLAIR_AXIAL = Geometry("axial", (1.2, 1.2, 3.0), (160, 192, 64), tilt_deg=8.0)
FLAIR_CORONAL = Geometry("coronal", (1.2, 1.2, 3.0), (160, 176, 76))
DIFFUSION_AXIAL = Geometry("axial", (2.4, 2.4, 6.0), (96, 96, 24))


def spin_echo(description: str, number: int, echo_time_ms: float, repetition_time_ms: float) -> SeriesHeader:
    """Return the header of a 2-D spin echo."""
    return SeriesHeader(description, number, echo_time_ms, repetition_time_ms, acquisition_type="2D")


def flair(description: str, number: int) -> SeriesHeader:
    """Return the header of a 2-D FLAIR."""
    return SeriesHeader(description, number, 92.0, 9000.0, inversion_time_ms=2500.0, acquisition_type="2D")


def mprage(description: str, number: int, contrast_agent: str | None = None) -> SeriesHeader:
    """Return the header of a 3-D T1 with magnetisation preparation, which has an inversion time too."""
    return SeriesHeader(description, number, 2.5, 1900.0, 900.0, contrast_agent)


PROTOCOLS: Mapping[str, Mapping[str, Series]] = {
    "a": {
        "t2w": Series("t2w", THICK_AXIAL, spin_echo("t2_tse_tra", 4, 100.0, 5200.0)),
        "t1n": Series("t1n", ISO_SAGITTAL, mprage("t1_mprage_sag_iso", 7)),
        "t2f": Series("t2f", FLAIR_AXIAL, flair("t2_tirm_tra_dark-fluid", 8)),
        "t1c": Series("t1c", FINE_AXIAL, mprage("t1_mprage_tra_km", 9, "Gadobutrol")),
    },
    "b": {
        "t1n": Series("t1n", THICK_AXIAL, spin_echo("AX T1 SE", 3, 11.0, 560.0)),
        "t2w": Series("t2w", THICK_AXIAL, spin_echo("AX T2 FSE", 4, 98.0, 4800.0)),
        "t2f": Series("t2f", FLAIR_CORONAL, flair("COR FLAIR", 5)),
        "t1c": Series("t1c", FINE_AXIAL, mprage("AX T1 3D +C", 6, "Gadoterate meglumine")),
    },
}
"""By scanner, then by sequence."""

DISTRACTORS = (
    *(
        Series(
            "t1n",
            Geometry(plane, (1.5, 1.5, 20.0), (160, 160, 3)),
            spin_echo("localizer", number, 2.1, 8.6),
        )
        for number, plane in enumerate(("sagittal", "coronal", "axial"), start=1)
    ),
    Series("dwi", DIFFUSION_AXIAL, spin_echo("ep2d_diff_b1000_TRACEW", 5, 90.0, 6400.0)),
    Series("adc", DIFFUSION_AXIAL, replace(spin_echo("ep2d_diff_ADC", 6, 90.0, 6400.0), image_type=DERIVED)),
)
"""Series of a whole study that are none of the four sequences: localisers in three planes, and diffusion."""
