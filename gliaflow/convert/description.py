"""Reading the free text in which a technician names a series."""

import re

NO_CONTRAST = re.compile(
    r"pre\b|\bpre ?(c|gd|gad|km)|\bwithout\b|\bw ?o\b|\b(no|non) ?(c|ce|gd|gad|km|contrast)\b|unenh|\bnati"
)
CONTRAST = re.compile(
    r"\bpost(?! ?(erior|op|surg))|\+ ?(c|ce|gd|gad|km|contrast)\b|\bc ?\+|\bgd\b|\bgad|contrast|\bkm\b"
    r"|\bmdc\b|\bce\b|\benh|t1w? ?(c|ce|gd)\b|\bw(ith)? c\b"
)
NO_AGENT = {"", "none", "no", "n", "0", "na", "n a", "without", "no contrast", "nil"}


def normal_text(text: str) -> str:
    """Return a description in lower case with single blanks for separators.

    >>> normal_text("t2_tirm_tra_dark-fluid")
    't2 tirm tra dark fluid'
    """
    return " ".join(re.sub(r"[_\-/.,:;()\[\]\s]+", " ", text.lower()).split())


def contrast_given(agent: str, description: str) -> bool:
    """Tell whether a series was acquired after contrast agent was given.

    Parameters
    ----------
    agent
        ContrastBolusAgent, empty where the header has none.
    description
        SeriesDescription. What it says counts more than the agent, which scanners fill in for whole studies.

    >>> contrast_given("", "AX T1 +C"), contrast_given("GADAVIST", "AX T1 PRE"), contrast_given("Gd", "AX T1")
    (True, False, True)
    """
    text = normal_text(description)
    if NO_CONTRAST.search(text):
        return False
    return bool(CONTRAST.search(text)) or normal_text(agent) not in NO_AGENT
