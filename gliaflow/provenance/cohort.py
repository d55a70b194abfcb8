"""The provenance of a cohort's results in PROV-JSON (W3C member submission of 24 April 2013).

Entities are files with checksums, activities the jobs that ran, agents the software and the models. All is
read from what the run left: the results, their sidecars, and the records and benchmarks of Snakemake.
"""

import csv
import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from prov.model import PROV, ProvDocument

from gliaflow.provenance.files import Named, Namer, checksum, kind_of
from gliaflow.provenance.gather import Gathered, gather, maker_of, read_sidecar
from gliaflow.provenance.private import literal_without_paths, without_paths
from gliaflow.provenance.records import Job, jobs_of, read_records

logger = logging.getLogger(__name__)

NAMESPACES = ("run", "given", "job", "software", "model")
BENCHMARKS = {"s": "gliaflow:seconds", "max_rss": "gliaflow:maxRssMb", "cpu_time": "gliaflow:cpuSeconds"}
"""Columns of Snakemake's benchmark files, and what they are called here."""
CLOCKS = 1.0
"""Seconds by which the clocks of a machine and of its file system may differ."""


def tell_provenance(
    cohort: str, root: Path, kept: Path, called: Mapping[str, str], *, besides: str
) -> dict[str, Any]:
    """Return the provenance of a cohort's results as PROV-JSON.

    Parameters
    ----------
    cohort
        Its results lie in ``results/<cohort>`` of ``root``.
    root
        The folder that the workflow ran in.
    kept
        Where Snakemake keeps its records.
    called
        What to call the files that were given, by their path.
    besides
        The file that this is written to, which is not told of.

    Raises
    ------
    ConfigError
        Snakemake kept no records, or one cannot be read.
    """
    found = gather(cohort, root, jobs_of(read_records(kept)), besides)
    story = Story(root, found, Namer(root, called))
    story.tell()
    return json.loads(story.document.serialize(format="json") or "{}")


class Story:
    """Writes what was gathered into a document, each file, job and agent once."""

    def __init__(self, root: Path, found: Gathered, namer: Namer) -> None:
        """Take what was gathered; nothing is written before `tell`."""
        self.root, self.found = root, found
        self.names: dict[str, Named] = {path: namer(path) for path in found.paths}
        self.entities = {named.identifier for named in self.names.values()}
        self.checksums: dict[str, str] = {}
        self.links: set[tuple[str, str, str]] = set()
        self.document = ProvDocument()
        self.document.add_namespace("gliaflow", "urn:gliaflow:")
        for name in NAMESPACES:
            self.document.add_namespace(name, f"urn:gliaflow:{name}:")

    def tell(self) -> None:
        """Write entities, then activities, then what binds them."""
        told = set()
        for path, named in self.names.items():
            if named.identifier not in told:
                told.add(named.identifier)
                self._tell_entity(path, named)
        for job in self.found.jobs.values():
            self._tell_job(job)
        for path, job in self.found.makers.items():
            self._link("wasGeneratedBy", self.names[path].identifier, activity_of(job))
        for path in self.found.paths:
            self._tell_folder(path)
            self._tell_agents(path)
        with_software = {first for kind, first, _ in self.links if kind == "wasAssociatedWith"}
        for job in self.found.jobs.values():
            if activity_of(job) not in with_software:
                self._tell_software(job, {"gliaflow": None})

    def _tell_entity(self, path: str, named: Named) -> None:
        there = named.place.exists()
        said = read_sidecar(named.place) if named.place.is_file() else {}
        attributes: list[tuple[Any, Any]] = [
            (PROV["type"], self._name("gliaflow", kind_of(named.place))),
            (PROV["label"], named.label),
        ]
        if there:
            self.checksums[named.identifier] = checksum(named.place)
            attributes.append(("gliaflow:sha256", self.checksums[named.identifier]))
        else:
            attributes.append(("gliaflow:removed", True))
        job = self.found.makers.get(path)
        if there and job and changed_since(named.place, job):
            logger.warning("%s: was changed after its job had ended", named.label)
            attributes.append(("gliaflow:changedAfterJob", True))
        if "Space" in said:
            attributes.append(("gliaflow:space", said["Space"]))
        if said.get("Parameters"):
            attributes.append(("gliaflow:parameters", as_text(said["Parameters"])))
        self.document.entity(named.identifier, attributes)

    def _tell_job(self, job: Job) -> None:
        record = job.record
        attributes: list[tuple[Any, Any]] = [
            (PROV["type"], self._name("gliaflow", "Job")),
            ("gliaflow:rule", record.rule),
        ]
        settings = sorted({literal_without_paths(text) for text in record.parameters})
        attributes += [("gliaflow:parameter", text) for text in settings]
        attributes += read_benchmark(self.root / f"benchmarks/{job.name}.tsv").items()
        self.document.activity(activity_of(job), moment(record.started), moment(record.ended), attributes)
        for path in record.inputs:
            self._tell_use(job, path)

    def _tell_use(self, job: Job, path: str) -> None:
        identifier, known = self.names[path].identifier, job.record.checksums.get(path)
        if self._new("used", activity_of(job), identifier):
            attributes = {"gliaflow:sha256AtUse": known} if known else None
            self.document.used(activity_of(job), identifier, other_attributes=attributes)
        if known and self.checksums.get(identifier, known) != known:
            logger.warning("%s: is not what %s used", self.names[path].label, job.name)

    def _tell_folder(self, path: str) -> None:
        """Say which folder, made as a whole, a file is a member of."""
        job = self.found.makers.get(path)
        if job is None or path in job.outputs:
            return
        folder = next(made for made in job.outputs if path.startswith(f"{made}/"))
        self._link("hadMember", self.names[folder].identifier, self.names[path].identifier)

    def _tell_agents(self, path: str) -> None:
        said, job = read_sidecar(self.names[path].place), self.found.makers.get(path)
        for name, sha256 in models_in(said):
            agent = agent_name("model", name, sha256 and sha256[:12])
            self._tell_agent(agent, {"prov:label": name, "gliaflow:sha256": sha256})
            self._link("wasAttributedTo", self.names[path].identifier, agent)
        if job:
            self._tell_software(job, said.get("Software", {}))
        for source in said.get("Sources", ()):
            self._tell_source(path, source)
        for source, software in network_software(said):
            runner = maker_of(source, self.found.makers)
            if runner:
                self._tell_software(runner, software)

    def _tell_source(self, path: str, source: str) -> None:
        """Say what an image was derived from, where that is a file that is told of."""
        known = self.names[source].identifier if source in self.names else f"given:{quote(source, safe='/')}"
        if known in self.entities:
            self._link("wasDerivedFrom", self.names[path].identifier, known)

    def _tell_software(self, job: Job, software: Mapping[str, str | None]) -> None:
        for name, number in software.items():
            agent = agent_name("software", name, number)
            self._tell_agent(agent, {"prov:label": name, "gliaflow:version": number})
            self._link("wasAssociatedWith", activity_of(job), agent)

    def _tell_agent(self, agent: str, known: Mapping[str, str | None]) -> None:
        if self._new("agent", agent, ""):
            attributes: list[tuple[Any, Any]] = [(PROV["type"], PROV["SoftwareAgent"])]
            attributes += [(key, value) for key, value in known.items() if value is not None]
            self.document.agent(agent, attributes)

    def _link(self, kind: str, first: str, second: str) -> None:
        if self._new(kind, first, second):
            getattr(self.document, kind)(first, second)

    def _new(self, kind: str, first: str, second: str) -> bool:
        known = (kind, first, second) in self.links
        self.links.add((kind, first, second))
        return not known

    def _name(self, prefix: str, local: str) -> Any:
        return self.document.valid_qualified_name(f"{prefix}:{local}")


def activity_of(job: Job) -> str:
    """Return the qualified name of a job."""
    return f"job:{quote(job.name, safe='/')}"


def agent_name(prefix: str, name: str, number: str | None) -> str:
    """Return the qualified name of software or of a model.

    >>> agent_name("software", "torch", "2.13.0+cpu"), agent_name("model", "mine", None)
    ('software:torch@2.13.0%2Bcpu', 'model:mine')
    """
    return f"{prefix}:{quote(f'{name}@{number}' if number else name, safe='@')}"


def models_in(said: Mapping[str, Any]) -> Iterator[tuple[str, str | None]]:
    """Give name and checksum of each model that a sidecar names."""
    for entry in said.get("Models", [said]):
        if "Model" in entry and "External" not in entry:
            yield entry["Model"], entry.get("ModelSha256")


def network_software(said: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Give for each folder of members that an image was made from the software that made them."""
    folders = [source for source in said.get("Sources", ()) if "members" in source]
    if "NetworkSoftware" in said:
        yield from ((folder, said["NetworkSoftware"]) for folder in folders)
    for name, facts in said.get("Fused", {}).items():
        mine = [f for f in folders if f"_model-{name}_" in f or f"/members/{name}_batch-" in f]
        yield from ((folder, facts.get("NetworkSoftware", {})) for folder in mine)


def changed_since(place: Path, job: Job) -> bool:
    """Tell whether a file is newer than the job that made it."""
    ended = job.record.ended
    return place.is_file() and ended is not None and place.stat().st_mtime > ended + CLOCKS


def read_benchmark(path: Path) -> dict[str, float]:
    """Return what Snakemake measured of a job: its last run; nothing where it was not measured."""
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    last = rows[-1] if rows else {}
    numbers = {BENCHMARKS[key]: value for key, value in last.items() if key in BENCHMARKS}
    return {key: float(value) for key, value in numbers.items() if value not in ("", "NA", "-")}


def moment(seconds: float | None) -> datetime | None:
    """Return seconds since 1970 as a time in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def as_text(parameters: Mapping[str, Any]) -> str:
    """Return parameters as JSON, without paths of the machine, the same for the same ones."""
    return json.dumps(without_paths(dict(parameters)), sort_keys=True, ensure_ascii=False)
