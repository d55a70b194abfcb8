"""The config: checked, completed by the schema's defaults, and brought into one form."""

from collections.abc import Iterable, Mapping
from typing import Any

from gliaflow.config.mistakes import Mistakes, did_you_mean, listing, show
from gliaflow.config.schema import check_extent, complete, load_schema, typed, violations
from gliaflow.growth.names import OWN_MODELS
from gliaflow.predict.tasks import check_tasks

# In the order of gliaflow.labels, whose import (nibabel) would slow down the start of every cluster job.
SEQUENCES = ("t1n", "t1c", "t2w", "t2f")
REGIONS = ("WT", "TC", "ET")
BUNDLED_ATLAS = "MNI152"


def complete_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Check a config, fill in the defaults and bring it into one form.

    Parameters
    ----------
    config
        As Snakemake reads it from config.yaml and the command line; it is not changed.

    Returns
    -------
    dict
        Every key of config/README.md. ``samples`` is a list, ``preprocess.n4`` a word for each sequence.

    Raises
    ------
    ConfigError
        One line for each mistake: key, value, what is wrong, what to write.

    Examples
    --------
    >>> complete_config({"preprocess": {"n4": {"t2f": False}}})["preprocess"]["n4"]
    {'t1n': 'registration', 't1c': 'registration', 't2w': 'registration', 't2f': 'off'}
    """
    check_extent(config, "config")
    result: dict[str, Any] = complete(load_schema("config"), typed(load_schema("config"), config))
    mistakes = Mistakes()
    for violation in violations("config", result):
        key = key_name(violation.path)
        mistakes.add(f"config, {key}: {show(violation.value)}", violation.what, violation.fix)
    mistakes.stop_if_any()
    _check_histogram(result["preprocess"]["normalisation"], mistakes)
    _check_atlas(result["atlas"], mistakes)
    _check_growth(result["growth"], mistakes)
    check_tasks(result["predict"], result["participants"], mistakes)
    mistakes.stop_if_any()
    if isinstance(result["samples"], str):
        result["samples"] = [result["samples"]]
    result["train"]["regions"] = [region for region in REGIONS if region in result["train"]["regions"]]
    result["preprocess"]["n4"] = n4_by_sequence(result["preprocess"]["n4"])
    # YAML reads a bare off as False
    result["export"]["dicom_seg"] = result["export"]["dicom_seg"] or "off"
    return result


def n4_by_sequence(n4: str | bool | Mapping[str, Any]) -> dict[str, str]:
    """Return ``registration``, ``apply`` or ``off`` for each sequence; YAML reads a bare off as False."""
    words: Mapping[str, Any] = n4 if isinstance(n4, Mapping) else {"default": n4}
    chosen = {name: words.get(name) for name in SEQUENCES}
    return {name: (words["default"] if word is None else word) or "off" for name, word in chosen.items()}


def key_name(path: Iterable[str | int]) -> str:
    """Write a key path for a person; entries of a list are counted from 1.

    >>> key_name(("segmentation", 0, "name"))
    'segmentation (entry 1).name'
    """
    text = "".join(f" (entry {part + 1})" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "(the whole)"


def _check_histogram(normalisation: Mapping[str, Any], mistakes: Mistakes) -> None:
    if normalisation["method"] == "histogram" and normalisation["reference"] is None:
        fix = "write the path of the reference, or another method"
        mistakes.add("config, preprocess.normalisation.reference: null", "histogram needs a reference", fix)


def _check_atlas(atlas: Mapping[str, Any], mistakes: Mistakes) -> None:
    bundled = atlas["name"] == BUNDLED_ATLAS
    if bundled and atlas["path"]:
        what, fix = (
            f"is the name of the bundled atlas, but path is {show(atlas['path'])}",
            "name the atlas too, such as SRI24",
        )
        mistakes.add(f"config, atlas.name: {show(atlas['name'])}", what, fix)
    if not bundled and not atlas["path"]:
        what, fix = "is not bundled, and atlas.path is empty", f"give its path, or write {BUNDLED_ATLAS}"
        mistakes.add(f"config, atlas.name: {show(atlas['name'])}", what, fix)


def _check_growth(growth: Mapping[str, Any], mistakes: Mistakes) -> None:
    external = [entry["name"] for entry in growth["external"]]
    for name in {*OWN_MODELS}.intersection(external):
        where = f"config, growth.external: {show(name)}"
        mistakes.add(where, "is a model of the workflow's own", "rename it")
    models = [*OWN_MODELS, *external]
    if growth["model"] not in models:
        where = f"config, growth.model: {show(growth['model'])}"
        fix = did_you_mean(growth["model"], models, f"write {listing(models)}")
        mistakes.add(where, "is neither a known model nor one of growth.external", fix)
    core, oedema = growth["core_density"], growth["oedema_density"]
    if oedema >= core:
        what = f"is not below growth.core_density ({show(core)})"
        mistakes.add(f"config, growth.oedema_density: {show(oedema)}", what, "lower it, or raise the other")
