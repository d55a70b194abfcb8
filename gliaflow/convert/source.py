"""What the rules call: sorting a study, and converting any kind of cell of the sample sheet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gliaflow.convert.archive import opened
from gliaflow.convert.dicom import Converted, convert_series
from gliaflow.convert.nifti import convert_nifti
from gliaflow.convert.scan import Series, Study, scan_folder, scan_study
from gliaflow.convert.sort import is_localiser, sort_series, verdicts
from gliaflow.convert.table import series_row, text_table
from gliaflow.errors import ConversionError
from gliaflow.files import is_nifti


@dataclass(frozen=True)
class Selection:
    """The key of the series chosen for every sequence, and the series table with one row per series."""

    keys: Mapping[str, str]
    rows: tuple[Mapping[str, str], ...]


def sort_study(
    source: Path,
    *,
    expect: Sequence[str],
    settings: Mapping[str, Any],
    work: Path,
    pins: Mapping[str, int] | None = None,
) -> Selection:
    """Sort a study into sequences.

    Parameters
    ----------
    source
        A DICOM folder, or a ``.zip`` of one.
    expect
        The sequences to find.
    settings
        Section ``convert`` of the config: ``rules``, ``exclude``, ``min_slices``.
    work
        Where a zip is unpacked for the while.
    pins
        SeriesNumber by sequence, where the sheet names one.

    Raises
    ------
    ConversionError
        No DICOM, or :func:`gliaflow.convert.sort.sort_series` finds no clear choice.
    """
    series = scan_study(source, work).series
    limits = {"exclude": settings["exclude"], "min_slices": settings["min_slices"]}
    chosen = sort_series(series, expect, settings["rules"], pins, name=str(source), **limits)
    sequences = {choice.key: sequence for sequence, choice in chosen.items()}
    fits = verdicts(series, settings["rules"], **limits)
    rows = (series_row(s, fits[s.key], sequences.get(s.key, "")) for s in series)
    return Selection({sequence: choice.key for sequence, choice in chosen.items()}, tuple(rows))


def convert_source(source: Path, *, key: str | None, settings: Mapping[str, Any], work: Path) -> Converted:
    """Turn a source into one checked image.

    Parameters
    ----------
    source
        A NIfTI file, a DICOM folder, or a ``.zip`` of one.
    key
        The key of a series of a study, from :func:`sort_study`; None where the source holds one series.
    settings
        Section ``convert`` of the config: ``max_slice_gap``, ``min_slices``.
    work
        Where files are kept for the while.

    Returns
    -------
    Converted
        RAS+, float32, finite; allowed physics tags; notes for the sidecar.

    Raises
    ------
    ConversionError
        With the source and the reason.
    """
    if source.is_file() and is_nifti(source):
        return convert_nifti(source)
    with opened(source, work) as folder:
        study = scan_folder(folder, str(source))
        series = chosen_series(study, key, str(source), settings["min_slices"])
        name = str(source) if key is None else f"{source}, series {series.number}"
        result = convert_series(series, name, work, max_slice_gap=settings["max_slice_gap"])
    return replace(result, notes=(*result.notes, *study_notes(study, series, key)))


def chosen_series(study: Study, key: str | None, name: str, min_slices: int) -> Series:
    """Return the series of a key, or where there is none the one series of a folder."""
    return only_series(study, name, min_slices) if key is None else series_of_key(study, key, name)


def series_of_key(study: Study, key: str, name: str) -> Series:
    """Return the series that a study was found to hold when it was sorted."""
    for series in study.series:
        if series.key == key:
            return series
    raise ConversionError(f"{name}: the series that was chosen is no longer there; sort the study again")


def only_series(study: Study, name: str, min_slices: int) -> Series:
    """Return the one series of a folder, localisers apart.

    Raises
    ------
    ConversionError
        Damaged files, or several series.
    """
    if study.n_damaged_files:
        raise ConversionError(
            f"{name}: {study.n_damaged_files} of its DICOM files are damaged; copy the series again"
        )
    scans = [s for s in study.series if not is_localiser(s, min_slices)] or study.series
    if len(scans) > 1:
        raise ConversionError(
            f"{name}: holds {len(scans)} series, but one is needed; give each its own folder, or name this "
            "folder in the column dicom, where series=NUMBER in the cell of a sequence chooses one.\n"
            f"{text_table(study.series, {s.key: '' for s in study.series})}"
        )
    return scans[0]


def study_notes(study: Study, series: Series, key: str | None) -> tuple[str, ...]:
    """Say what was left out beside the chosen series."""
    notes = []
    if study.n_other_files:
        notes.append(f"files left out because they are no DICOM images: {study.n_other_files}")
    if study.n_damaged_files:
        notes.append(f"damaged DICOM files of the study left out: {study.n_damaged_files}")
    if key is None and len(study.series) > 1:
        notes.append(f"localiser series left out: {len(study.series) - 1}")
    return tuple(notes)
