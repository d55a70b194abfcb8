"""What differs between two pages, but for how long their jobs ran."""

import re
from pathlib import Path

TIMED = re.compile(r'<section id="run-times">.*?</section>', re.DOTALL)
"""Says how long each job ran, so that no two runs have the same."""


def compare_pages(first: Path, second: Path, tolerance: float = 0.0) -> list[str]:
    """Return a line where two pages differ in more than their run times.

    Parameters
    ----------
    first, second
        HTML files.
    tolerance
        Does not matter here.
    """
    old, new = (TIMED.sub("", path.read_text(encoding="utf-8", errors="replace")) for path in (first, second))
    if old == new:
        return []
    parts = re.findall(r'<section id="([^"]+)".*?</section>', old, re.DOTALL)
    changed = [part for part in parts if section(old, part) != section(new, part)]
    return [f"sections: {', '.join(changed)} differ"] if changed else ["its data differ"]


def section(page: str, name: str) -> str:
    """Return a section of a page, empty where there is none.

    >>> section('<section id="a">one</section><section id="b">two</section>', "b")
    'two'
    """
    found = re.search(rf'<section id="{name}"[^>]*>(.*?)</section>', page, re.DOTALL)
    return found[1] if found else ""
