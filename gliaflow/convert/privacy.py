"""Keeping what identifies a person out of everything that is written.

A series description is free text: technicians type names and record numbers into it.
"""

import logging
import re
import unicodedata
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

REMOVED = "[removed]"
NAME_KEYWORDS = (
    "PatientName",
    "OtherPatientNames",
    "PatientBirthName",
    "PatientMotherBirthName",
    "ResponsiblePerson",
    "ReferringPhysicianName",
    "RequestingPhysician",
    "PerformingPhysicianName",
    "NameOfPhysiciansReadingStudy",
    "PhysiciansOfRecord",
    "OperatorsName",
    "PatientAddress",
    "InstitutionName",
    "InstitutionAddress",
    "InstitutionalDepartmentName",
)
CODE_KEYWORDS = (
    "PatientID",
    "OtherPatientIDs",
    "PatientBirthDate",
    "PatientTelephoneNumbers",
    "IssuerOfPatientID",
    "AccessionNumber",
    "StudyID",
    "StationName",
    "DeviceSerialNumber",
    "RequestedProcedureID",
    "AdmissionID",
)
PERSONAL_KEYWORDS = NAME_KEYWORDS + CODE_KEYWORDS
SHORTEST_NAME = 2
SHORTEST_CODE = 3
SHORTEST_INSIDE_A_WORD = 5
DATES_AND_RECORD_NUMBERS = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d{6,}")


def personal_values(header: Dataset) -> frozenset[str]:
    """Return every value of a header that identifies a person, names also part by part.

    >>> header = Dataset()
    >>> header.PatientName, header.PatientID = "Doe^Jane", "4711"
    >>> sorted(personal_values(header))
    ['4711', 'doe', 'jane']
    """
    names = (part for text in _texts(header, NAME_KEYWORDS) for part in re.split(r"[\^=,;\s]+", text))
    codes = _texts(header, CODE_KEYWORDS)
    return frozenset(
        {part for part in names if len(part) >= SHORTEST_NAME}
        | {code.strip() for code in codes if len(code.strip()) >= SHORTEST_CODE}
    )


def scrub(text: str, personal: Iterable[str]) -> str:
    """Return a text on one line, with personal values, dates and long numbers replaced by ``[removed]``.

    A short value counts only as a whole word: ``Li`` is a name, but not in ``FLAIR``.

    >>> scrub("AX T1 DOE_1970-01-01", {"doe"})
    'AX T1 [removed]_[removed]'
    """
    result = " ".join(_plain(text).split())
    for value in sorted(personal, key=lambda value: (-len(value), value)):
        pattern = re.escape(value)
        if len(value) < SHORTEST_INSIDE_A_WORD:
            pattern = rf"(?<![^\W_]){pattern}(?![^\W_])"
        result = re.sub(pattern, REMOVED, result, flags=re.IGNORECASE)
    return DATES_AND_RECORD_NUMBERS.sub(REMOVED, result)


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Silence pydicom's warnings: they quote header values, and a job's output becomes its log."""
    logger = logging.getLogger("pydicom")
    before = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


def _texts(header: Dataset, keywords: Iterable[str]) -> Iterator[str]:
    for keyword in keywords:
        value = header.get(keyword)
        for item in value if isinstance(value, MultiValue) else [value]:
            if item is not None:
                yield _plain(str(item)).lower()


def _plain(text: str) -> str:
    """Return a text without accents, control characters, and unseen ones, which part names."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(" " if unicodedata.category(c) == "Cc" else c for c in decomposed if not _is_unseen(c))


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in ("Mn", "Cf")
