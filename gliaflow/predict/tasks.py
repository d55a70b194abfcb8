"""What is to be predicted, out of what and by which model: one entry of ``predict.tasks`` in the config."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from gliaflow.config.mistakes import Mistakes, did_you_mean, listing, show
from gliaflow.config.participants import Participant
from gliaflow.config.schema import load_schema
from gliaflow.predict.names import ALL_MODELS, CLASSIFICATION, NETWORKS, SUBTYPE, SURVIVAL

LEAST_CLASSES = 3


@dataclass(frozen=True)
class Task:
    """One endpoint; the fields are keys of ``predict.tasks``, explained in config/README.md."""

    name: str
    kind: str
    model: str
    features: tuple[str, ...]
    column: str | None = None
    positive: str | None = None
    classes: tuple[str, ...] = ()
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
        if self.kind == SURVIVAL:
            return f"{self.time} to {self.event}"
        return f"{self.column} {self.positive or listing(self.classes)}"


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


def refuse_small(task: Task, counts: Mapping[str, int], least: Mapping[str, Any], mistakes: Mistakes) -> None:
    """Add why a task with so few subjects is refused, if it is.

    Parameters
    ----------
    task
        What is predicted.
    counts
        How many subjects with a known outcome there are of each of `outcome_words`.
    least
        ``least_subjects`` and ``least_per_class``.
    mistakes
        The reasons are added here, with the numbers.
    """
    where = f"predict, task {task.name}"
    subjects = sum(counts.values())
    told = ", ".join([f"{subjects} subjects", *(f"{number} {word}" for word, number in counts.items())])
    fix = "add subjects, or take the task out; a figure from so few would mean nothing"
    if subjects < least["least_subjects"]:
        mistakes.add(where, f"too few subjects: {told}; {least['least_subjects']} are needed", fix)
    counted = list(counts.values())[1:] if task.kind == SURVIVAL else list(counts.values())
    if task.kind != SURVIVAL and sum(number > 0 for number in counted) < 2:
        key = "positive" if task.kind == CLASSIFICATION else "classes"
        mistakes.add(where, f"there is one class only: {told}", f"look at {task.column} and {key}")
    elif min(counted) < least["least_per_class"]:
        what = "events" if task.kind == SURVIVAL else "subjects of a class"
        mistakes.add(where, f"too few {what}: {told}; {least['least_per_class']} are needed", fix)


def outcome_words(task: Task) -> tuple[str, ...]:
    """Return what subjects are counted by: the classes, or without and with the event.

    >>> outcome_words(Task("t", "classification", "logistic", (), column="idh", positive="mutant"))
    ('other', 'mutant')
    """
    if task.kind == SURVIVAL:
        return "without the event", "with the event"
    return task.classes if task.kind == SUBTYPE else ("other", str(task.positive))


def _check_counts(
    task: Task, people: Iterable[Participant], predict: Mapping[str, Any], mistakes: Mistakes
) -> None:
    outcomes = [tuple(vars(person)[column] for column in task.outcomes) for person in people]
    known = [values for values in outcomes if None not in values]
    words = outcome_words(task)
    if task.kind == SURVIVAL:
        found = [words[bool(values[1])] for values in known]
    elif task.kind == CLASSIFICATION:
        found = [words[_word(values[0]) == task.positive] for values in known]
    else:
        found = [_word(values[0]) for values in known]
    refuse_small(task, {word: found.count(word) for word in words}, predict, mistakes)


def _word(value: object) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _check_model(entry: Mapping[str, Any], where: str, mistakes: Mistakes) -> None:
    fitting = [name for name, kinds in ALL_MODELS.items() if entry["kind"] in kinds]
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
    keys = ("time", "event") if entry["kind"] == SURVIVAL else ("column",)
    for key in keys:
        if entry[key] not in columns:
            what = "is no column of the patients' data"
            fix = did_you_mean(str(entry[key]), columns, f"write {listing(columns)}")
            mistakes.add(f"{where}.{key}: {show(entry[key])}", what, fix)
    _check_words(entry, columns.get(entry["column"], {}).get("enum"), where, mistakes)


def _check_words(entry: Mapping[str, Any], words: list[str] | None, where: str, mistakes: Mistakes) -> None:
    """Check the keys that name values of the outcome: those of the kind, and no other."""
    needed = {CLASSIFICATION: "positive", SUBTYPE: "classes"}.get(entry["kind"])
    if entry["kind"] == SURVIVAL and entry["column"]:
        what = "has column, but survival is told by time and event"
        mistakes.add(where, what, "take it out, or write kind: classification")
    for key in ("positive", "classes"):
        if key != needed and entry[key]:
            what = f"has {key}, which {entry['kind']} does not take"
            mistakes.add(where, what, "take it out, or write another kind")
    if needed is None:
        return
    if not entry[needed] or (needed == "classes" and len(entry[needed]) < LEAST_CLASSES):
        example = "a value such as mutant" if needed == "positive" else "three values or more"
        mistakes.add(
            f"{where}.{needed}: {show(entry[needed])}", f"{entry['kind']} needs it", f"write {example}"
        )
        return
    for word in [entry[needed]] if isinstance(entry[needed], str) else entry[needed]:
        if words is not None and word not in words:
            fix = did_you_mean(word, words, f"write {listing(words)}")
            mistakes.add(f"{where}.{needed}: {show(word)}", f"is no value of {entry['column']}", fix)
