"""HTML pages of the report: one file each, which works offline and asks nothing of the network."""

import base64
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gliaflow.images import write_bytes

PAGES = Path(__file__).parents[2] / "resources" / "report" / "pages"


def render(template: str, **values: Any) -> str:
    """Fill a template of `PAGES`; every value is escaped, and one that is missing is an error.

    Parameters
    ----------
    template
        File name of the template, which extends ``base.html``.
    values
        What it shows. Text from a sheet, a header or a log stays text whatever it contains.
    """
    environment = Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["embed"] = embed
    environment.filters["short"] = short
    return environment.get_template(template).render(**values)


def write_page(path: str | Path, template: str, **values: Any) -> None:
    """Write a page, whole or not at all; see `render`."""
    write_bytes(path, render(template, **values).encode())


def short(text: object) -> str:
    """Write a number of a table with three digits; what is none stays as it is.

    >>> short("0.123456"), short("12345.6"), short("no reason"), short(None)
    ('0.123', '12346', 'no reason', '')
    """
    if text is None:
        return ""
    try:
        value = float(str(text))
    except ValueError:
        return str(text)
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def embed(path: str | Path, kind: str = "image/png") -> str:
    """Return a file as a data URL, so that the page needs no other file."""
    return f"data:{kind};base64,{base64.b64encode(Path(path).read_bytes()).decode()}"
