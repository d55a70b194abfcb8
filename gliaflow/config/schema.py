"""The schemas in config/schemas: they check a value, say what is wrong in words, and hold every default."""

import copy
import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker, TypeChecker, ValidationError, validators
from jsonschema.protocols import Validator

from gliaflow.config.mistakes import listing, meant_key, printable, shortened, show
from gliaflow.errors import ConfigError

FOLDER = Path(__file__).parent.parent.parent / "config" / "schemas"
FASTEST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Reads the schemas, which every job does at its start; both loaders make plain values only."""
Schema = Mapping[str, Any]
MOST_VALUES = 100_000
DEEPEST = 50
LONGEST_NUMBER = 1024
UNWANTED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
NOT_YAML = (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What PyYAML raises: also for ``2001-99-99``, ``!!bool maybe`` and thousands of brackets."""
TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping of keys",
    "null": "null",
}
LIMITS = {
    "minimum": "is less than {}",
    "maximum": "is more than {}",
    "exclusiveMinimum": "is not more than {}",
    "exclusiveMaximum": "is not less than {}",
    "minLength": "is empty",
    "minItems": "has too few entries, {} at least",
    "maxItems": "has too many entries, {} at most",
    "uniqueItems": "names something twice",
    "ascending": "is not in ascending order",
    "pattern": "is not of the form that is needed",
    "format": "is not a regular expression",
}


@dataclass(frozen=True)
class Violation:
    """One place where a value breaks its schema."""

    path: tuple[str | int, ...]
    value: Any
    what: str
    fix: str


def _ascending(_: Validator, wanted: bool, value: Any, __: Schema) -> Iterator[ValidationError]:
    numbers = isinstance(value, list) and all(isinstance(item, int | float) for item in value)
    if wanted and numbers and any(a >= b for a, b in itertools.pairwise(value)):
        yield ValidationError("not ascending")


def _pattern(_: Validator, wanted: str, value: Any, __: Schema) -> Iterator[ValidationError]:
    """Hold a text against a pattern, whose ``$`` does not let a line break pass at the end."""
    if not isinstance(value, str):
        return
    if not re.search(wanted, value) or (wanted.endswith("$") and value.endswith("\n")):
        yield ValidationError(f"{show(value)} does not match {wanted!r}")


def _finite(_: TypeChecker, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and _fits_float(value)


def _whole(checker: TypeChecker, value: Any) -> bool:
    return _finite(checker, value) and float(value).is_integer()


def _fits_float(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


Checker = validators.extend(
    Draft202012Validator,
    {"ascending": _ascending, "pattern": _pattern},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many({"number": _finite, "integer": _whole}),
)


@cache
def load_schema(name: str) -> Schema:
    """Return the schema of that name in config/schemas; not to be changed."""
    text = (FOLDER / f"{name}.schema.yaml").read_text(encoding="utf-8")
    content: Schema = _included(yaml.load(text, FASTEST))
    return content


def _included(node: Any) -> Any:
    """Put the schema of that name in place of ``{include: postprocess}``, for what several schemas share."""
    if isinstance(node, list):
        return [_included(entry) for entry in node]
    if not isinstance(node, Mapping):
        return node
    if isinstance(node.get("include"), str):
        return {**load_schema(node["include"]), **{key: sub for key, sub in node.items() if key != "include"}}
    return {key: _included(sub) for key, sub in node.items()}


@cache
def checker(name: str) -> Validator:
    """Return the validator of a schema, made once."""
    return Checker(load_schema(name), format_checker=FormatChecker(["regex"]))


def read_yaml(path: Path) -> Any:
    """Read a YAML file.

    Raises
    ------
    ConfigError
        The file is missing, is not UTF-8 or is not YAML, with the line; or it is beyond measure.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); check the path in the config"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8; save it as UTF-8 in your editor") from error
    except NOT_YAML as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = printable(str(getattr(error, "problem", None) or _problem(error)))
        raise ConfigError(
            f"{path}{line}: is not YAML ({problem}); look at the indentation and the colons"
        ) from error
    check_extent(content, str(path))
    return content


def _problem(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "too many brackets within each other"
    return "unreadable" if isinstance(error, yaml.YAMLError) else shortened(str(error))


def check_extent(value: Any, where: str) -> None:
    """Check that a value is one that a person writes, before anything walks through it.

    Parameters
    ----------
    value
        As YAML or JSON has it. An alias counts as often as it is used: some lines can stand for billions of
        values, or a list can hold itself.
    where
        What errors call it.

    Raises
    ------
    ConfigError
        It holds more than 100 000 values, more than 50 within each other, a text with a character that
        belongs in no text, or a number beyond all others.
    """
    trail: list[Any] = []
    levels = [_inner(value)]
    count = 0
    while levels:
        key, node = found = next(levels[-1], END)
        if found is END:
            levels.pop()
            trail = trail[:-1]
            continue
        trail.append(key)
        count += 1
        if count > MOST_VALUES or len(levels) > DEEPEST:
            raise ConfigError(
                f"{where}, {_shown(trail[:1])}: holds more than {MOST_VALUES} values, or more than {DEEPEST} "
                "within each other; take out what it repeats"
            )
        if reason := _reason_against(key) or _reason_against(node):
            raise ConfigError(f"{where}, {_shown(trail)}: {reason}")
        levels.append(_inner(node))


def _shown(trail: list[Any]) -> str:
    """Write keys for a person, also those whose like is about to be refused."""
    huge = (isinstance(part, int) and part.bit_length() > LONGEST_NUMBER for part in trail)
    words = ("a number" if large else str(part) for part, large in zip(trail, huge, strict=True))
    return shortened(printable(".".join(words)))


def _reason_against(value: Any) -> str | None:
    if isinstance(value, str) and UNWANTED.search(value):
        return f"{show(value)} has a control character in it; take it out"
    if isinstance(value, int) and value.bit_length() > LONGEST_NUMBER:
        return f"is a number of more than {LONGEST_NUMBER} bits; shorten it"
    return None


def _inner(node: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(node, Mapping):
        return iter(node.items())
    return enumerate(node, start=1) if isinstance(node, list | tuple | set | frozenset) else iter(())


END = (object(), None)


def typed(schema: Schema, given: Any) -> Any:
    """Read the texts of a value as YAML where its schema wants no text.

    Snakemake's command line leaves what stands inside a mapping or list as text: in
    ``--config 'atlas={resolution: 2}'`` the 2 arrives as ``"2"``.

    >>> typed({"properties": {"dpi": {"type": "integer"}}}, {"dpi": "80"})
    {'dpi': 80}
    """
    if isinstance(given, Mapping):
        inner, other = schema.get("properties", {}), schema.get("additionalProperties")
        other = other if isinstance(other, Mapping) else {"type": "string"}
        return {key: typed(inner.get(key, other), value) for key, value in given.items()}
    if isinstance(given, list):
        return [typed(schema.get("items", {"type": "string"}), value) for value in given]
    wanted = schema.get("type", "string")
    return _as_yaml(given) if isinstance(given, str) and "string" not in wanted else given


def _as_yaml(text: str) -> Any:
    """Read a text as YAML; what is none stays the text that it is, which its schema then refuses."""
    try:
        value = yaml.safe_load(text)
        check_extent(value, "")
    except (*NOT_YAML, ConfigError):
        return text
    return value


def complete(schema: Schema, given: Any) -> Any:
    """Return a copy of a value with the schema's default for every key that it leaves out.

    An empty section (YAML reads it as null) counts as a section without keys. What does not fit the schema
    is copied as it is.
    """
    if given is None and schema.get("type") == "object":
        given = {}
    if isinstance(given, list) and "items" in schema:
        return [complete(schema["items"], entry) for entry in given]
    if not isinstance(given, Mapping) or "properties" not in schema:
        return copy.deepcopy(given)
    default = schema.get("default")
    given = {**default, **given} if isinstance(default, Mapping) else given
    needed = set(schema.get("required", ())) - set(given)
    known = {key: sub for key, sub in schema["properties"].items() if key not in needed}
    result = {key: complete(sub, given.get(key, sub["default"])) for key, sub in known.items()}
    return result | {key: copy.deepcopy(value) for key, value in given.items() if key not in result}


def violations(name: str, value: Any) -> list[Violation]:
    """Return every place where a value breaks the schema of that name, in the value's order."""
    found: dict[tuple[Any, ...], Violation] = {}
    for error in checker(name).iter_errors(value):
        for violation in _violations_of(load_schema(name), error):
            found.setdefault((violation.path, violation.what), violation)
    return sorted(found.values(), key=lambda violation: [str(part) for part in violation.path])


def _violations_of(schema: Schema, error: ValidationError) -> Iterator[Violation]:
    path = tuple(error.absolute_path)
    here: Any = error.schema
    value: Any = error.instance
    if error.validator == "additionalProperties":
        known = here["properties"]
        for key in sorted(set(value) - set(known), key=str):
            yield Violation((*path, key), value[key], "is not a known key", meant_key(str(key), known))
    elif error.validator == "required":
        for key in [key for key in here["required"] if key not in value]:
            yield Violation((*path, key), None, "is missing", here["properties"][key]["fix"])
    else:
        yield Violation(path, value, _what(error), _fix(schema, error))


def _what(error: ValidationError) -> str:
    wanted: Any = error.validator_value
    if error.validator == "type":
        return f"is not {listing(TYPES[kind] for kind in ([wanted] if isinstance(wanted, str) else wanted))}"
    if error.validator == "enum":
        return f"is not {'one of ' if len(wanted) > 1 else ''}{listing(_words(wanted))}"
    return LIMITS.get(str(error.validator), "is not allowed here").format(wanted)


def _words(values: list[Any]) -> list[str]:
    return [value if isinstance(value, str) else show(value) for value in values]


def _fix(schema: Schema, error: ValidationError) -> str:
    node: Any = schema
    fix = ""
    for step in error.absolute_schema_path:
        fix = node.get("fix", fix) if isinstance(node, Mapping) and isinstance(node.get("fix"), str) else fix
        node = node[step]
    return fix
