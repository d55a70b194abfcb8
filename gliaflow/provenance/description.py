"""``dataset_description.json`` of a cohort: program, revision, software, and checksums of what was given."""

import hashlib
import json
import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gliaflow import __version__
from gliaflow.config.reviews import Review, review_facts
from gliaflow.fetch import sha256_of

BIDS_VERSION = "1.10.0"
SOFTWARE = (
    *(
        "SimpleITK",
        "antspyx",
        "dcm2niix",
        "dipy",
        "hd-bet",
        "monai",
        "nibabel",
        "nilearn",
        "nipype",
        "nnunetv2",
    ),
    *("numba", "numpy", "pandas", "pydicom", "scikit-fmm", "scikit-image", "scikit-learn", "scikit-survival"),
    *("scipy", "snakebids", "snakemake", "torch"),
)
"""The distributions whose versions are told where they are installed."""
PLACES = ("samples", "participants", "models", "reviews")
"""The keys of the config that say only where a file lies; the files' own checksums stand for them."""


def describe_dataset(cohort: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of ``dataset_description.json`` (BIDS 1.10, derivative).

    Parameters
    ----------
    cohort
        Its name.
    facts
        ``revision`` of the workflow or None, ``config_sha256``, and ``sheets``, ``participants``,
        ``model_table`` and ``models``, each a list of names with checksums; where sessions were reviewed
        also ``reviews``.
    """
    program = {"Name": "gliaflow", "Version": __version__, "GitRevision": facts["revision"]}
    others = {"Python": platform.python_version()} | installed(SOFTWARE)
    return {
        "Name": cohort,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [
            {key: value for key, value in program.items() if value is not None},
            *({"Name": name, "Version": number} for name, number in others.items()),
        ],
        "ConfigSha256": facts["config_sha256"],
        "SampleSheets": facts["sheets"],
        "Participants": facts["participants"],
        "ModelTable": facts["model_table"],
        "Models": facts["models"],
        **({"Reviews": facts["reviews"]} if "reviews" in facts else {}),
    }


def described_review(session: str, review: Review) -> dict[str, str]:
    """Return what a dataset's description says of the decision on a session.

    >>> from gliaflow.config.reviews import Decision
    >>> reject = Decision("reject", None, "AB", "2026-03-31", "moved", "review.tsv", 2)
    >>> described_review("01/1", Review(reject))["Comment"]
    'moved'
    """
    edit = {"EditOf": f"{review.edit.reviewer}, {review.edit.date}"} if review.edit else {}
    return {"Session": session, **review_facts(review.latest), "Comment": review.latest.comment, **edit}


def installed(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of those distributions that are installed.

    >>> sorted(installed(["numpy", "a-package-that-nobody-made"]))
    ['numpy']
    """
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def checksum_entry(path: Path) -> dict[str, str]:
    """Return a file's name, without its folders, and its sha256."""
    return {"Name": path.name, "Sha256": sha256_of(path)}


def config_sha256(config: Mapping[str, Any]) -> str:
    """Return a checksum of the settings, the same wherever files lie and in whatever order keys stand.

    Of an absolute path only the file's name counts; where sheets and tables lie does not count at all.

    >>> a = config_sha256({"seed": 1, "atlas": {"path": "/data/sri24.nii.gz"}, "samples": ["/x/s.tsv"]})
    >>> a == config_sha256({"atlas": {"path": "/mnt/sri24.nii.gz"}, "samples": [], "seed": 1})
    True
    >>> a == config_sha256({"atlas": {"path": "/mnt/sri24.nii.gz"}, "samples": [], "seed": 2})
    False
    """
    settings = {key: _portable(value) for key, value in config.items() if key not in PLACES}
    text = json.dumps(settings, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def git_revision(folder: Path) -> str | None:
    """Return the commit that a folder is a checkout of, ``-dirty`` added where tracked files differ from it.

    Returns
    -------
    str or None
        None where the folder is not the top of a checkout, or git is not there to ask.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != folder.resolve():
        return None
    return _git(folder, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def _portable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _portable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_portable(part) for part in value]
    if isinstance(value, str | Path) and Path(value).is_absolute():
        return Path(value).name
    return value if isinstance(value, str | int | float | bool | None) else str(value)
