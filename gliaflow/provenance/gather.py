"""Which files and jobs belong to a cohort's results."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from gliaflow.files import files_below
from gliaflow.provenance.records import Job
from gliaflow.sidecar import read_json, sidecar_path
from gliaflow.status import STATUS_FILES


@dataclass(frozen=True)
class Gathered:
    """The files of a cohort and the jobs behind them.

    Attributes
    ----------
    paths
        Every file in the cohort's folder, and all that the jobs took and made, whether still there or not.
    makers
        By path the job that made it.
    jobs
        Every job that a path here came from, by name.
    """

    paths: tuple[str, ...]
    makers: Mapping[str, Job]
    jobs: Mapping[str, Job]


def gather(cohort: str, root: Path, made: Mapping[str, Job], besides: str) -> Gathered:
    """Follow a cohort's files back to what was given.

    Other cohorts' results, trainings and predictors are named where a job took them, and not followed.

    Parameters
    ----------
    cohort
        Its results lie in ``results/<cohort>``.
    root
        The folder that the workflow ran in.
    made
        By path the job that made it (`gliaflow.provenance.records.jobs_of`).
    besides
        A file in the cohort's folder that does not count.
    """
    waiting = [path for path in files_in(root, f"results/{cohort}") if path != besides]
    makers: dict[str, Job] = {}
    jobs: dict[str, Job] = {}
    seen = set(waiting)
    while waiting:
        path = waiting.pop()
        job = maker_of(path, made) if followed(path, cohort) else None
        if job is None:
            continue
        makers[path] = job
        if job.name not in jobs:
            jobs[job.name] = job
            new = {*job.record.inputs, *job.outputs} - seen
            seen |= new
            waiting += new
    return Gathered(tuple(sorted(seen)), makers, dict(sorted(jobs.items())))


def files_in(root: Path, folder: str) -> list[str]:
    """Return the paths of all files in a folder but those of the status, relative to the root."""
    found = files_below(root / folder, root)
    return sorted(p for p in found if PurePosixPath(p).name not in STATUS_FILES and (root / p).is_file())


def followed(path: str, cohort: str) -> bool:
    """Tell whether it matters here how a file came about.

    >>> followed("results/one/sub-1/x.nii.gz", "one"), followed("results/two/sub-1/x.nii.gz", "one")
    (True, False)
    """
    elsewhere = path.startswith(("results/", "training/"))
    return path.startswith(f"results/{cohort}/") or not elsewhere


def maker_of(path: str, made: Mapping[str, Job]) -> Job | None:
    """Return the job that made a file, or the folder that it lies in."""
    places = [path, *(str(parent) for parent in PurePosixPath(path).parents)]
    return next((made[place] for place in places if place in made), None)


def read_sidecar(place: Path) -> Mapping[str, Any]:
    """Return what the sidecar of a file says; nothing for one that has none."""
    sidecar = sidecar_path(place)
    if place.suffix == ".json" or not sidecar.is_file():
        return {}
    content = read_json(sidecar)
    return content if isinstance(content, dict) and "Software" in content else {}
