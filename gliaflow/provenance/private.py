"""Nothing of the machine's folders in what is told of a job."""

import ast
import re
from typing import Any

ABSOLUTE = re.compile(r"(?:^|[^\w.:/])(?:/|~|[A-Za-z]:\\|\\\\|file:)|\.\./")
HIDDEN = "(path)"


def without_paths(value: Any) -> Any:
    """Return a value with every text that holds an absolute path replaced, keys included.

    >>> without_paths({"scan": "/data/Doe^Jane/t1", "settings": [4, "demo/sub-01/ses-1"]})
    {'scan': '(path)', 'settings': [4, 'demo/sub-01/ses-1']}
    """
    if isinstance(value, str):
        return HIDDEN if ABSOLUTE.search(value) else value
    if isinstance(value, dict):
        return {without_paths(key): without_paths(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(map(without_paths, value))
    return value


def literal_without_paths(text: str) -> str:
    """Return a Python literal without absolute paths; what is none is hidden where it might hold one.

    >>> literal_without_paths("('linear', '/data/Doe^Jane/t1')")
    "('linear', '(path)')"
    """
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return HIDDEN if "/" in text or "\\" in text else text
    return repr(without_paths(value))
