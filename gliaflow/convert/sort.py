"""Sorting the series of a study into sequences by their headers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gliaflow.convert.scan import Series
from gliaflow.convert.table import text_table
from gliaflow.errors import ConfigError, ConversionError

LOCALISER_TYPES = {"LOCALIZER"}
DERIVED_TYPES = {
    "ADC",
    "ASL",
    "CBF",
    "CBV",
    "CSA MPR",
    "DIFFUSION",
    "FA",
    "MIN IP",
    "MIP",
    "MNIP",
    "MPR",
    "MTT",
    "P",
    "PERFUSION",
    "PHASE",
    "PHASE MAP",
    "PROJECTION IMAGE",
    "REFORMATTED",
    "SCREEN SAVE",
    "SECONDARY",
    "SUBTRACTION",
    "SWI",
    "TRACEW",
    "TTP",
}
REFORMAT = re.compile(r"\bmpr\b|reformat|\breform\b")


@dataclass(frozen=True)
class Rule:
    """What the header of a series must say for it to be a sequence; see config/README.md."""

    description: tuple[re.Pattern[str], ...]
    not_description: tuple[re.Pattern[str], ...]
    contrast: bool | None
    ranges: Mapping[str, tuple[float, float]]
    prefer: tuple[re.Pattern[str], ...]

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> "Rule":
        """Make a rule from its section of the config."""
        times = {"te_ms": "echo_time_ms", "tr_ms": "repetition_time_ms", "ti_ms": "inversion_time_ms"}
        return cls(
            description=patterns(settings.get("description", ())),
            not_description=patterns(settings.get("not_description", ())),
            contrast=settings.get("contrast"),
            ranges={attribute: settings[key] for key, attribute in times.items() if settings.get(key)},
            prefer=patterns(settings.get("prefer", ())),
        )

    def fits(self, series: Series, text: str) -> bool:
        """Tell whether a series fits; a time that its header lacks speaks neither for nor against it."""
        if self.description and not found(self.description, text):
            return False
        if found(self.not_description, text) or self.contrast not in (None, series.contrast):
            return False
        times = ((getattr(series, attribute), limits) for attribute, limits in self.ranges.items())
        return all(time is None or limits[0] <= time <= limits[1] for time, limits in times)


def patterns(expressions: Sequence[str]) -> tuple[re.Pattern[str], ...]:
    """Compile regular expressions, without regard to case.

    Raises
    ------
    ConfigError
        One of them is not a regular expression.
    """
    try:
        return tuple(re.compile(expression, re.IGNORECASE) for expression in expressions)
    except re.error as error:
        raise ConfigError(f"convert: {error.pattern!r} is not a regular expression ({error})") from error


def found(expressions: Sequence[re.Pattern[str]], text: str) -> bool:
    """Tell whether any of the expressions occurs in a text."""
    return any(expression.search(text) for expression in expressions)


def is_localiser(series: Series, min_slices: int) -> bool:
    """Tell whether a series is a localiser: by its type, several orientations, or few slice positions."""
    few = series.stack.n_slices < min_slices
    return few or not series.stack.one_orientation or bool(LOCALISER_TYPES & set(series.image_type))


def unfit_reason(series: Series, exclude: Sequence[re.Pattern[str]] = (), min_slices: int = 8) -> str:
    """Say why a series is no structural scan at all, or return nothing.

    Parameters
    ----------
    series
        From the scan of a study.
    exclude
        Descriptions of what is never wanted.
    min_slices
        A series with fewer slice positions is a localiser.
    """
    types = set(series.image_type)
    if series.modality != "MR":
        return f"modality {series.modality}"
    if series.colour:
        return "colour"
    if is_localiser(series, min_slices):
        return "localiser"
    if types & DERIVED_TYPES or ("DERIVED" in types and REFORMAT.search(series.texts[0])):
        return "derived"
    if found(exclude, series.texts[0]):
        return "excluded by description"
    return ""


def fits_of(series: Series, rules: Mapping[str, Rule]) -> tuple[str, ...]:
    """Return the sequences that a series fits.

    Its SeriesDescription decides. Only where that fits nothing, ProtocolName is asked: some scanners put
    the name of the whole examination there.
    """
    for text in series.texts:
        fits = tuple(sequence for sequence, rule in rules.items() if text and rule.fits(series, text))
        if fits:
            return fits
    return ()


def sort_series(
    series: Sequence[Series],
    expect: Sequence[str],
    rules: Mapping[str, Mapping[str, Any]],
    pins: Mapping[str, int] | None = None,
    *,
    exclude: Sequence[str] = (),
    min_slices: int = 8,
    name: str = "study",
) -> dict[str, Series]:
    """Choose the series of every sequence.

    Parameters
    ----------
    series
        All image series of the study.
    expect
        The sequences to find, without those that the sheet says were not acquired.
    rules
        Section ``convert.rules`` of the config, keyed by sequence.
    pins
        SeriesNumber by sequence, where the sheet names one. A pinned series need not fit its rule.
    exclude, min_slices
        See :func:`unfit_reason`.
    name
        What errors call the study.

    Returns
    -------
    dict
        One series for every sequence of ``expect``, in its order.

    Raises
    ------
    ConversionError
        For some sequence no series fits, or several, or a pin names none; the message has a table of the
        series and says how to name one.
    """
    pins = pins or {}
    never = patterns(exclude)
    wanted = {sequence: Rule.of(rules.get(sequence, {})) for sequence in expect if sequence not in pins}
    choices = {q: [s for s in series if s.number == pins[q]] for q in expect if q in pins}
    taken = {s.key for choice in choices.values() for s in choice}
    free = [s for s in series if s.key not in taken and not unfit_reason(s, never, min_slices)]
    fits = {s.key: fits_of(s, wanted) for s in free}
    for sequence, rule in wanted.items():
        choices[sequence] = preferred(rule, [s for s in free if sequence in fits[s.key]])
    problems = [_problem(q, choices[q], pins) for q in expect if len(choices[q]) != 1] + _shared(choices)
    if problems:
        table = text_table(series, verdicts(series, rules, exclude=exclude, min_slices=min_slices))
        raise ConversionError(
            f"{name}: {'; '.join(problems)}. Write series=NUMBER in that sequence's cell of the sample "
            f"sheet, or none if it was not acquired.\n{table}"
        )
    return {sequence: choices[sequence][0] for sequence in expect}


def verdicts(
    series: Sequence[Series],
    rules: Mapping[str, Mapping[str, Any]],
    *,
    exclude: Sequence[str] = (),
    min_slices: int = 8,
) -> dict[str, str]:
    """Say for every series, by its key, which sequences it fits, or why it is no candidate."""
    never, parsed = patterns(exclude), {sequence: Rule.of(settings) for sequence, settings in rules.items()}
    return {
        s.key: unfit_reason(s, never, min_slices) or ", ".join(fits_of(s, parsed)) or "nothing"
        for s in series
    }


def preferred(rule: Rule, candidates: list[Series]) -> list[Series]:
    """Keep the candidates that fit the first of the rule's preferences that any of them fits."""
    for expression in rule.prefer:
        liked = [series for series in candidates if found([expression], series.texts[0])]
        if liked:
            return liked
    return candidates


def _problem(sequence: str, choice: Sequence[Series], pins: Mapping[str, int]) -> str:
    if sequence in pins:
        return f"{sequence}: {len(choice) or 'no'} series have the number {pins[sequence]} of the sheet"
    if not choice:
        return f"{sequence}: no series fits"
    return f"{sequence}: {len(choice)} series fit (numbers {', '.join(str(s.number) for s in choice)})"


def _shared(choices: Mapping[str, Sequence[Series]]) -> list[str]:
    sequences: dict[str, list[str]] = {}
    for sequence, choice in choices.items():
        if len(choice) == 1:
            sequences.setdefault(choice[0].key, []).append(sequence)
    return [f"one series for {' and '.join(shared)}" for shared in sequences.values() if len(shared) > 1]
