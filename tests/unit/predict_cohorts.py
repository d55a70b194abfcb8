"""Generated tables of features and outcomes, with a planted effect of one feature or with none."""

from pathlib import Path

import numpy as np
import pandas as pd

from gliaflow.predict.models import MODELS, Model, SurvivalForest
from gliaflow.predict.table import Table, read_sessions, training_table
from gliaflow.predict.tasks import Settings, Task

QUICK_MODELS = {
    "logistic": Model(MODELS["logistic"].make, {"C": [0.1, 1.0], "l1_ratio": [0.5]}),
    "boosting": Model(MODELS["boosting"].make, {"max_iter": [25], "max_leaf_nodes": [3, 7]}),
    "cox": Model(MODELS["cox"].make, {"alphas": [[0.3], [0.3, 0.1]], "l1_ratio": [0.5]}),
    "survival_forest": Model(
        lambda seed: SurvivalForest(n_estimators=25, max_features="sqrt", random_state=seed),
        {"min_samples_leaf": [8, 15]},
    ),
    "discrete_time": MODELS["discrete_time"],
}
"""The models with fewer settings to choose from, and smaller forests."""
QUICK = Settings(repeats=1, inner_folds=2, resamples=300, permutations=0)


def task(model: str, features: tuple[str, ...] = ("wt_*", "age"), **keys: object) -> Task:
    """A task for idh or for survival, by the model."""
    if model in ("logistic", "boosting"):
        keys = {"kind": "classification", "column": "idh", "positive": "mutant", **keys}
    return Task(**{"name": "one", "kind": "survival", "model": model, "features": features, **keys})


def cohort(
    subjects: int = 120,
    *,
    seed: int = 0,
    effect: float = 1.2,
    sessions: int = 1,
    sites: int = 1,
    noise: int = 5,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Features of sessions and patients' data; ``wt_signal`` makes mutants likelier and lengthens life."""
    random = np.random.default_rng(seed)
    signal = random.normal(size=subjects)
    mutant = random.random(subjects) < 1 / (1 + np.exp(-1.5 * effect * signal))
    death = 1 + np.ceil(random.exponential(500 * np.exp(-0.9 * effect * signal)))
    last = np.ceil(random.uniform(200, 2000, subjects))
    names = [f"P{number:04d}" for number in range(subjects)]
    people = pd.DataFrame(
        {
            "cohort": "one",
            "subject": names,
            "age": random.normal(60, 10, subjects).round(),
            "sex": random.choice(["F", "M"], subjects),
            "site": [f"site{'AB'[k % sites]}" for k in range(subjects)],
            "idh": np.where(mutant, "mutant", "wildtype"),
            "survival_days": np.minimum(death, last),
            "event": (death <= last).astype(int),
        }
    )
    tables = []
    for session in range(sessions):
        table = pd.DataFrame(
            {"cohort": "one", "subject": names, "session": str(session + 1), "days": 90 * session}
        )
        table["wt_signal"] = signal + 0.05 * random.normal(size=subjects)
        names_of_noise = [f"wt_noise{number}" for number in range(noise)]
        noises = pd.DataFrame(random.normal(size=(subjects, noise)), columns=names_of_noise)
        table = pd.concat([table, noises], axis=1)
        table.loc[random.random(subjects) < 0.1, "wt_noise0"] = np.nan
        table["hemisphere"] = random.choice(["left", "right"], subjects)
        tables.append(table)
    return pd.concat(tables, ignore_index=True), people


def written(folder: Path, features: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """The tables as they are read back from files."""
    paths = [folder / "features.tsv", folder / "people.tsv"]
    for path, table in zip(paths, (features, people), strict=True):
        table.to_csv(path, sep="\t", index=False)
    return read_sessions(paths[:1], paths[1])


def table_of(folder: Path, chosen: Task, **keys: object) -> Table:
    """The training table of a generated cohort."""
    return training_table(written(folder, *cohort(**keys)), chosen)
