"""NIfTI files with any field of the header changed: one checked volume, or a sentence that names the file."""

import gzip
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from damage import cases, damaged, refusal, written
from hypothesis import example, given
from hypothesis import strategies as st

from gliaflow.checks import checked_volume
from gliaflow.config.settings import complete_config
from gliaflow.convert.source import convert_source
from gliaflow.images import GZIP_LEVEL, read_image

SETTINGS = complete_config({})["convert"]
FIELDS = {
    **{f"dim{n}": (40 + 2 * n, "h") for n in range(8)},
    **{f"pixdim{n}": (76 + 4 * n, "f") for n in range(8)},
    **{f"srow{n}": (280 + 4 * n, "f") for n in range(12)},
    **{f"quatern{n}": (256 + 4 * n, "f") for n in range(6)},
    "sizeof_hdr": (0, "i"),
    "datatype": (70, "h"),
    "bitpix": (72, "h"),
    "vox_offset": (108, "f"),
    "scl_slope": (112, "f"),
    "scl_inter": (116, "f"),
    "xyzt_units": (123, "B"),
    "qform_code": (252, "h"),
    "sform_code": (254, "h"),
    "magic": (344, "i"),
}
INTEGERS = st.one_of(
    st.sampled_from(
        [0, 1, 2, 4, 7, 8, 16, 32, 64, 128, 256, 512, 768, 1024, 1536, 2048, 2304, -1, 32767, -32768]
    ),
    st.integers(-(2**15), 2**15 - 1),
)
FLOATS = st.one_of(
    st.sampled_from(
        [0.0, -1.0, 1.0, float("nan"), float("inf"), -float("inf"), 1e30, 1e-30, 352.0, 353.5, 1e9]
    ),
    st.floats(width=32),
)


def whole() -> bytes:
    """A right file: small, oblique, both codes set, integers with a slope."""
    data = np.random.default_rng(0).integers(0, 1000, (6, 5, 4)).astype(np.int16)
    affine = nib.affines.from_matvec(nib.eulerangles.euler2mat(0.1, 0.2, 0.3) * 2.0, (3.0, 4.0, 5.0))
    image = nib.Nifti1Image(data, affine)
    image.set_qform(affine, code=1)
    image.header.set_slope_inter(1.5, 10)
    return image.to_bytes()


WHOLE = whole()


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """The file with some fields of its header changed."""
    content = bytearray(WHOLE)
    for name in draw(st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=3)):
        place, kind = FIELDS[name]
        value = draw(FLOATS if kind == "f" else INTEGERS)
        struct.pack_into(f"<{kind}", content, place, value % 256 if kind == "B" else value)
    return bytes(content)


def huge(slices: int) -> bytes:
    """A header that announces as many slices of 32767 by 32767 voxels."""
    content = bytearray(WHOLE)
    struct.pack_into("<3h", content, 42, 32767, 32767, slices)
    return bytes(content)


def assert_right_or_refused(path: Path) -> None:
    """As a scan, and as a mask or label map, which other steps read."""
    named = path.name

    def as_scan() -> None:
        image = convert_source(path, key=None, settings=SETTINGS, work=path.parent).image
        assert np.isfinite(image.get_fdata()).all()
        assert nib.aff2axcodes(image.affine) == ("R", "A", "S")

    refusal(as_scan, named)
    refusal(lambda: checked_volume(read_image(path), path), named)


@cases(60)
@given(content=headers())
@example(content=huge(32767))
@example(content=huge(2))
def test_any_field_of_a_header(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    assert_right_or_refused(written(tmp_path_factory.getbasetemp() / "field.nii", content))


@cases(30)
@given(
    content=st.one_of(headers(), damaged(WHOLE)).map(lambda c: gzip.compress(c, GZIP_LEVEL)).flatmap(damaged)
)
@example(content=gzip.compress(huge(32767)))
@example(content=gzip.compress(huge(2)))
def test_any_damage_to_a_packed_file(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    assert_right_or_refused(written(tmp_path_factory.getbasetemp() / "packed.nii.gz", content))


@cases(20)
@given(content=damaged(WHOLE))
def test_any_damage_to_a_plain_file(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    assert_right_or_refused(written(tmp_path_factory.getbasetemp() / "plain.nii", content))


def test_the_file_that_is_changed_is_right(tmp_path: Path) -> None:
    path = written(tmp_path / "whole.nii", WHOLE)
    assert convert_source(path, key=None, settings=SETTINGS, work=tmp_path).image.shape == (6, 5, 4)
