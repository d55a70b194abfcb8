"""Which series is which sequence, by the default rules and by hand."""

from pathlib import Path

import pytest
from dicom_files import SECRETS, STUDY, T1, edit, head, numbered, series

from gliaflow.config.settings import complete_config
from gliaflow.convert.description import contrast_given
from gliaflow.convert.scan import Series, scan_study
from gliaflow.convert.sort import sort_series, verdicts
from gliaflow.convert.source import sort_study
from gliaflow.errors import ConfigError, ConversionError
from gliaflow.labels import SEQUENCES
from gliaflow.simulate.dicom import SeriesHeader

SETTINGS = complete_config({})["convert"]
RULES, EXCLUDE = SETTINGS["rules"], SETTINGS["exclude"]
SMALL = head((8, 8, 9), (3, 3, 3))
TIMES = {
    "t1n": (9, 500, None),
    "t1c": (9, 500, None),
    "t2w": (100, 5000, None),
    "t2f": (120, 9000, 2500),
    "": (50, 3000, None),
}


def header(number: int, description: str, sequence: str = "", **changes) -> SeriesHeader:
    te, tr, ti = TIMES[sequence]
    values = {"echo_time_ms": te, "repetition_time_ms": tr, "inversion_time_ms": ti}
    return numbered(number, description, **(values | changes))


def study(folder: Path, *headers: SeriesHeader) -> tuple[Series, ...]:
    for item in headers:
        series(folder / str(item.number), item, SMALL)
    return scan_study(folder, folder).series


def whole(folder: Path, *more: SeriesHeader) -> tuple[Series, ...]:
    names = {"t1n": "AX T1", "t1c": "AX T1 POST", "t2w": "AX T2 FSE", "t2f": "AX FLAIR"}
    four = [header(number, names[sequence], sequence) for number, sequence in enumerate(SEQUENCES, start=2)]
    return study(folder, *four, *more)


def sort(found, expect=SEQUENCES, pins=None, rules=RULES):
    chosen = sort_series(found, expect, rules, pins, exclude=EXCLUDE, name="cell")
    return {sequence: choice.number for sequence, choice in chosen.items()}


NAMES = {
    "t1n": [
        *("AX T1", "T1 SE", "MPRAGE", "3D T1 BRAVO", "t1_mprage_sag_p2_iso", "SAG T1 FLAIR", "T1W_SE"),
        *("Accelerated SAG IR-SPGR", "WIP sT1W_3D_TFE", "AX T1 PRE", "T1 WITHOUT CONTRAST", "T1 w/o"),
        *("T1 posterior fossa", "T1 CUBE", "t1_mpr_ns_sag", "T1 post op", "AX T1 NON-CONTRAST"),
    ],
    "t1c": [
        *("AX T1 POST", "T1 +C", "T1 GD", "MPRAGE POST", "t1_mprage_tra_km", "AX T1 3D +C", "T1CE", "T1Gd"),
        *(
            "T1 C+",
            "AX T1 FS POST",
            "T1 SE POSTCONTRAST",
            "T1W_3D_GADO",
            "T1 with contrast",
            "T1+C",
            "3D T1 CE",
        ),
    ],
    "t2w": ["AX T2 FSE", "T2 TSE", "t2_tse_tra", "T2W_TSE", "T2 SPACE", "CUBE T2", "Ax T2 PROPELLER"],
    "t2f": [
        *("AX FLAIR", "T2 FLAIR", "3D FLAIR SPACE", "DARK FLUID", "t2_tirm_tra_dark-fluid", "CUBE FLAIR"),
        *("COR FLAIR", "t2_space_dark-fluid_sag", "FLAIR POST", "T2W_FLAIR"),
    ],
    "": [
        *("LOCALIZER", "localiser", "SCOUT", "survey", "3-PLANE LOC", "3 Plane", "AAHead_Scout", "DWI b1000"),
        *(
            "ep2d_diff_ADC",
            "TRACE",
            "SWI_Images",
            "AX SWAN",
            "T2 PERF DSC",
            "T1 DCE",
            "ASL 3D",
            "MIP T1 POST",
        ),
        *(
            "T2*",
            "AX T2* GRE",
            "T2 STAR",
            "T1 PHASE",
            "ASSET calibration",
            "T1 MAP",
            "TOF MRA",
            "SAG T1 SPINE",
        ),
        *("STIR", "t2_fl2d_tra_hemo", "T1 reformat", "<MPR Thick Range> T1", "Series 5"),
    ],
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Series:
    return study(tmp_path_factory.mktemp("plain"), T1)[0]


@pytest.mark.parametrize(("sequence", "text"), [(s, text) for s, texts in NAMES.items() for text in texts])
def test_default_rules_know_common_names(tmp_path, sequence, text):
    (only,) = study(tmp_path, header(5, text, sequence))
    verdict = verdicts([only], RULES, exclude=EXCLUDE)[only.key]
    if sequence:
        assert verdict == sequence
    else:
        assert verdict in ("nothing", "excluded by description")


@pytest.mark.parametrize(
    ("agent", "text", "given"),
    [
        ("Gadobutrol", "T1", True),
        ("", "T1", False),
        ("NONE", "T1", False),
        ("Gadobutrol", "T1 pre", False),
        ("", "T1 post", True),
        ("Gadobutrol", "T1 nativ", False),
    ],
)
def test_the_description_counts_more_than_the_agent(agent, text, given):
    assert contrast_given(agent, text) is given


def test_a_whole_study_is_sorted(tmp_path):
    found = whole(tmp_path, header(9, "LOCALIZER"), header(10, "ep2d_diff_ADC"))
    assert sort(found) == {"t1n": 2, "t1c": 3, "t2w": 4, "t2f": 5}
    assert list(sort(found, ("t2f", "t1c"))) == ["t2f", "t1c"]


def test_two_that_fit_are_an_error_and_a_pin_decides(tmp_path):
    found = whole(tmp_path, header(9, "COR T1 POST", "t1c"))
    with pytest.raises(ConversionError) as caught:
        sort(found)
    message = str(caught.value)
    assert message.startswith("cell: t1c: 2 series fit (numbers 3, 9). Write series=NUMBER")
    assert [line.split()[0] for line in message.splitlines()[1:]] == ["number", "2", "3", "4", "5", "9"]
    assert sort(found, pins={"t1c": 9})["t1c"] == 9


def test_missing_ones_are_all_named_at_once(tmp_path):
    with pytest.raises(
        ConversionError, match=r"t1c: no series fits; t2w: no series fits; t2f: no series fits"
    ):
        sort(study(tmp_path, T1))


def test_a_pin_beats_every_rule_and_takes_its_series_away(tmp_path):
    found = whole(tmp_path, header(9, "T1 MPR", "t1n", image_type=("DERIVED", "SECONDARY", "MPR")))
    assert sort(found, pins={"t1c": 9}) == {"t1n": 2, "t1c": 9, "t2w": 4, "t2f": 5}
    with pytest.raises(ConversionError, match="t1c: no series fits"):
        sort(found, pins={"t1n": 3})


def test_a_pin_without_or_with_two_series(tmp_path):
    found = study(tmp_path, T1)
    with pytest.raises(ConversionError, match="t1n: no series have the number 8 of the sheet"):
        sort(found, ("t1n",), {"t1n": 8})
    with pytest.raises(ConversionError, match="one series for t1n and t1c"):
        sort(found, ("t1n", "t1c"), {"t1n": 3, "t1c": 3})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"image_type": ("DERIVED", "SECONDARY", "REFORMATTED")}, "derived"),
        ({"image_type": ("ORIGINAL", "PRIMARY", "P", "ND")}, "derived"),
        ({"image_type": ("ORIGINAL", "PRIMARY", "M", "LOCALIZER")}, "localiser"),
        ({"image_type": ("DERIVED", "PRIMARY", "OTHER")}, "t1n"),
    ],
)
def test_image_types(tmp_path, change, reason):
    (only,) = study(tmp_path, header(5, "AX T1", "t1n", **change))
    assert verdicts([only], RULES)[only.key] == reason


def test_few_slices_are_a_localiser_and_another_modality_is_none(tmp_path):
    series(tmp_path / "a", numbered(1, "AX T1"), head((8, 8, 3)))
    edit(series(tmp_path / "b", numbered(2, "AX T1"), SMALL), Modality="CT")
    first, second = scan_study(tmp_path, tmp_path).series
    said = verdicts([first, second], RULES)
    assert (said[first.key], said[second.key]) == ("localiser", "modality CT")


def test_protocol_is_asked_only_where_the_description_fits_nothing(tmp_path):
    edit(series(tmp_path / "a", header(1, "Series 1", "t2w"), SMALL), ProtocolName="t2_tse_tra")
    edit(series(tmp_path / "b", header(2, "AX T2", "t2w"), SMALL), ProtocolName="HEAD T1 T2 FLAIR")
    first, second = scan_study(tmp_path, tmp_path).series
    said = verdicts([first, second], RULES)
    assert (said[first.key], said[second.key]) == ("t2w", "t2w")


def test_ranges_judge_only_what_the_header_has(tmp_path):
    rules = {"t1n": {"ti_ms": [800, 1000], "tr_ms": [100, 600]}}
    found = study(tmp_path, numbered(1, "a"), numbered(2, "b", repetition_time_ms=700))
    assert list(verdicts(found, rules).values()) == ["t1n", "nothing"]
    late = study(tmp_path / "late", numbered(3, "c", inversion_time_ms=700))
    assert list(verdicts(late, rules).values()) == ["nothing"]


def test_a_declared_preference_decides(tmp_path):
    found = study(tmp_path, header(1, "SAG T1"), header(2, "AX T1"), header(3, "COR T1"))
    rules = {"t1n": {"description": ["t1"], "prefer": ["3d", r"\bax"]}}
    assert sort(found, ("t1n",), rules=rules) == {"t1n": 2}


def test_a_wrong_expression_is_an_error_of_the_config(plain):
    with pytest.raises(ConfigError, match=r"'t1\(' is not a regular expression"):
        sort([plain], ("t1n",), rules={"t1n": {"description": ["t1("]}})


def test_no_error_shows_who_it_is(tmp_path):
    found = study(tmp_path, header(1, f"T1 {STUDY.patient_id} SCHMIDT 19570312"))
    with pytest.raises(ConversionError) as caught:
        sort(found)
    assert "T1 [removed] [removed] [removed]" in str(caught.value)
    assert not any(secret in str(caught.value).lower() for secret in SECRETS)


def test_sort_study_gives_keys_and_rows(tmp_path):
    found = whole(tmp_path / "in", header(9, "LOCALIZER"))
    selection = sort_study(tmp_path / "in", expect=SEQUENCES, settings=SETTINGS, work=tmp_path)
    assert selection.keys == dict(zip(SEQUENCES, [s.key for s in found], strict=False))
    assert [row["sequence"] for row in selection.rows] == [*SEQUENCES, ""]
    assert selection.rows[-1]["fits"] == "excluded by description"
