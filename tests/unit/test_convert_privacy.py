"""No value that identifies a person survives."""

import logging

import pytest
from dicom_files import SECRETS, STUDY
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from gliaflow.convert.privacy import REMOVED, personal_values, quiet_pydicom, scrub
from gliaflow.simulate.dicom import add_study


def personal() -> frozenset[str]:
    header = Dataset()
    add_study(header, STUDY)
    header.OperatorsName = ["Ada^B", "Éva Nagy"]
    return personal_values(header)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("AX T1 Schmidt", f"AX T1 {REMOVED}"),
        ("schmidt_T1", f"{REMOVED}_T1"),
        ("T1 WILHELMINESCHMIDT", f"T1 {REMOVED}{REMOVED}"),
        ("AX FLAIR", "AX FLAIR"),
        ("FLAIR Li", f"FLAIR {REMOVED}"),
        ("PAT-77812 T2", f"{REMOVED} T2"),
        ("T1 12.03.1957", f"T1 {REMOVED}"),
        ("T1 1957-03-12", f"T1 {REMOVED}"),
        ("record 123456789", f"record {REMOVED}"),
        ("EVA T1", f"{REMOVED} T1"),
        ("Sch\u200bmidt\u202e T1", f"{REMOVED} T1"),
        ("Klinikum\tElsewhere\nT1", f"{REMOVED} {REMOVED} T1"),
        ("t1_mprage_sag_p2_iso 0.9mm", "t1_mprage_sag_p2_iso 0.9mm"),
    ],
)
def test_scrub(text, clean):
    assert scrub(text, personal()) == clean


@given(st.lists(st.sampled_from([*SECRETS, "AX", "T1", "+C", "_", "-", " "]), max_size=8).map("".join))
def test_no_long_secret_survives_in_any_surroundings(text):
    values = frozenset(secret for secret in SECRETS if len(secret) >= 5)
    result = scrub(text, values).replace(REMOVED, "")
    assert not any(value in scrub(text, values) for value in values)
    assert len(result) <= len(text)


def test_scrubbing_twice_changes_nothing_more():
    once = scrub("Schmidt T1 19570312 PAT-77812", personal())
    assert scrub(once, personal()) == once


def test_pydicom_says_nothing_while_quiet(capsys, recwarn):
    header = Dataset()
    with quiet_pydicom():
        header.add_new("AccessionNumber", "SH", "Wilhelmine Schmidt and more")
        logging.getLogger("pydicom").error("Wilhelmine Schmidt")
    assert capsys.readouterr() == ("", "")
    assert not recwarn.list
    assert not logging.getLogger("pydicom").disabled
