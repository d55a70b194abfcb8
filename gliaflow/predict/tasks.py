"""What is to be predicted, out of what and by which model: one entry of ``predict.tasks`` in the config."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from gliaflow.config.mistakes import Mistakes, did_you_mean, listing, show
from gliaflow.config.participants import Participant
from gliaflow.config.schema import load_schema
from gliaflow.predict.names import ALL_MODELS, CLASSIFICATION, NETWORKS, SURVIVAL


@dataclass(frozen=True)
class Task:
    """One endpoint; the fields are keys of ``predict.tasks``, explained in config/README.md."""

    name: str
    kind: str
    model: str
    features: tuple[str, ...]
    column: str | None = None
    positive: str | None = None
    time: str = "survival_days"
    event: str = "event"
    cohorts: tuple[str, ...] | None = None
    sessions: str = "first"
    package: str | None = None

    @property
    def outcomes(self) -> tuple[str, ...]:
        """The columns of the patients' data that hold the outcome."""
        return (self.time, self.event) if self.kind == SURVIVAL else (str(self.column),)

    @property
    def endpoint(self) -> str:
        """What is predicted, in words."""
        return (
            f"{self.column} {self.positive}"
            if self.kind == CLASSIFICATION
            else f"{self.time} to {self.event}"
        )


@dataclass(frozen=True)
class Settings:
    """How predictors are fitted and judged; the fields are keys of the config's section ``predict``.

    ``resamples`` is that of the section ``evaluate``, ``seed`` that of the whole.
    """

    folds: int = 5
    repeats: int = 5
    inner_folds: int = 3
    permutations: int = 200
    least_subjects: int = 40
    least_per_class: int = 15
    select: int | None = 20
    horizon_days: float = 365.0
    resamples: int = 2000
    seed: int = 42


def task_of(entry: Mapping[str, Any]) -> Task:
    """Return the task that an entry of the config describes.

    >>> task_of({"name": "idh", "kind": "classification", "model": "logistic", "features": ["age"]}).features
    ('age',)
    """
    known = {field.name for field in fields(Task)}
    values: dict[str, Any] = {key: value for key, value in entry.items() if key in known}
    lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    return Task(**{**values, **lists, "model": entry.get("model") or ""})


def settings_of(values: Mapping[str, Any]) -> Settings:
    """Return the settings that the section ``predict`` holds, with ``resamples`` and ``seed``.

    >>> settings_of({"folds": 3, "tasks": [], "seed": 1}).folds
    3
    """
    known = {field.name for field in fields(Settings)}
    return Settings(**{key: value for key, value in values.items() if key in known})


def check_tasks(predict: Mapping[str, Any], participants: str | None, mistakes: Mistakes) -> None:
    """Check what the schema cannot: names that come twice, and keys that do not go together.

    Parameters
    ----------
    predict
        The section ``predict``, completed and of the right types.
    participants
        The table of patients' data that the config names.
    mistakes
        What is wrong is added here.
    """
    if predict["least_per_class"] < predict["folds"]:
        where = f"config, predict.least_per_class: {show(predict['least_per_class'])}"
        what = f"is less than predict.folds ({predict['folds']}), so folds would lack a class"
        mistakes.add(where, what, "raise it, or write fewer folds")
    names = [entry["name"].casefold() for entry in predict["tasks"]]
    for number, entry in enumerate(predict["tasks"]):
        where = f"config, predict.tasks (entry {number + 1})"
        if entry["name"].casefold() in names[:number]:
            mistakes.add(f"{where}.name: {show(entry['name'])}", "names another task too", "rename one")
        if entry["package"]:
            continue
        if participants is None:
            what = "is to be trained, but participants is null, and outcomes are in the patients' data"
            mistakes.add(f"{where}.name: {show(entry['name'])}", what, "name their table in participants")
        _check_model(entry, where, mistakes)
        _check_outcome(entry, where, mistakes)


def check_outcomes(
    predict: Mapping[str, Any], participants: Iterable[Participant], cohorts: Iterable[str]
) -> None:
    """Refuse, before any job, tasks for which too few outcomes are known.

    Parameters
    ----------
    predict
        The section ``predict``.
    participants
        The patients' data.
    cohorts
        Those of the sample sheets.

    Raises
    ------
    ConfigError
        A task names a cohort of no sheet, has too few subjects, one class or too few events.
    """
    people, mistakes, known = list(participants), Mistakes(), sorted(set(cohorts))
    for entry in predict["tasks"]:
        task = task_of(entry)
        where = f"config, predict.tasks, {task.name}"
        for name in sorted(set(task.cohorts or ()) - set(known)):
            fix = did_you_mean(name, known, f"the cohorts are {listing(known, 'and')}")
            mistakes.add(f"{where}, cohorts: {name!r}", "is in no sample sheet", fix)
        if task.package is None:
            _check_counts(
                task, [p for p in people if not task.cohorts or p.cohort in task.cohorts], predict, mistakes
            )
    mistakes.stop_if_any()


def refuse_small(
    task: Task, subjects: int, counts: tuple[int, int], least: Mapping[str, Any], mistakes: Mistakes
) -> None:
    """Add why a task with so few subjects is refused, if it is.

    Parameters
    ----------
    task
        What is predicted.
    subjects
        Subjects with a known outcome.
    counts
        How many of them are not of the class, or without the event, and how many are.
    least
        ``least_subjects`` and ``least_per_class``.
    mistakes
        The reasons are added here, with the numbers.
    """
    where = f"predict, task {task.name}"
    others, positives = counts
    words = ("without the event", "with the event") if task.kind == SURVIVAL else ("other", task.positive)
    told = f"{subjects} subjects, {others} {words[0]}, {positives} {words[1]}"
    fix = "add subjects, or take the task out; a figure from so few would mean nothing"
    if subjects < least["least_subjects"]:
        mistakes.add(where, f"too few subjects: {told}; {least['least_subjects']} are needed", fix)
    if task.kind == CLASSIFICATION and 0 in counts:
        mistakes.add(where, f"there is one class only: {told}", f"look at {task.column} and positive")
    elif positives < least["least_per_class"]:
        what = "events" if task.kind == SURVIVAL else "subjects of a class"
        mistakes.add(where, f"too few {what}: {told}; {least['least_per_class']} are needed", fix)
    elif task.kind == CLASSIFICATION and others < least["least_per_class"]:
        what = f"too few subjects of a class: {told}; {least['least_per_class']} are needed"
        mistakes.add(where, what, fix)


def _check_counts(
    task: Task, people: Iterable[Participant], predict: Mapping[str, Any], mistakes: Mistakes
) -> None:
    outcomes = [tuple(vars(person)[column] for column in task.outcomes) for person in people]
    known = [values for values in outcomes if None not in values]
    if task.kind == CLASSIFICATION:
        positives = sum(_word(values[0]) == task.positive for values in known)
    else:
        positives = sum(bool(values[1]) for values in known)
    refuse_small(task, len(known), (len(known) - positives, positives), predict, mistakes)


def _word(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _check_model(entry: Mapping[str, Any], where: str, mistakes: Mistakes) -> None:
    fitting = [name for name, kind in ALL_MODELS.items() if kind == entry["kind"]]
    if entry["model"] not in fitting:
        what = f"is no model for {entry['kind']}"
        mistakes.add(f"{where}.model: {show(entry['model'])}", what, f"write {listing(fitting)}")
    if entry["model"] in NETWORKS:
        if entry["features"]:
            what = "is a list, but networks look at images"
            mistakes.add(f"{where}.features", what, "take it out, or write another model")
    elif not entry["features"]:
        mistakes.add(f"{where}.features: []", "names no feature", 'write a list such as ["wt_*", age]')


def _check_outcome(entry: Mapping[str, Any], where: str, mistakes: Mistakes) -> None:
    columns = load_schema("participants")["properties"]
    keys = ("column",) if entry["kind"] == CLASSIFICATION else ("time", "event")
    for key in keys:
        if entry[key] not in columns:
            what = "is no column of the patients' data"
            fix = did_you_mean(str(entry[key]), columns, f"write {listing(columns)}")
            mistakes.add(f"{where}.{key}: {show(entry[key])}", what, fix)
    if entry["kind"] == SURVIVAL:
        if entry["column"] or entry["positive"]:
            what = "has column or positive, but survival is told by time and event"
            mistakes.add(where, what, "take them out, or write kind: classification")
    elif not entry["positive"]:
        mistakes.add(f"{where}.positive: null", "classification needs it", "write a value such as mutant")
    elif entry["positive"] not in (
        words := columns.get(entry["column"], {}).get("enum", [entry["positive"]])
    ):
        fix = did_you_mean(entry["positive"], words, f"write {listing(words)}")
        mistakes.add(f"{where}.positive: {show(entry['positive'])}", f"is no value of {entry['column']}", fix)
