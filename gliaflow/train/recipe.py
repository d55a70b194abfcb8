"""How a model is trained: the section ``train`` of the config, as far as the steps need it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from gliaflow.errors import ConfigError
from gliaflow.nnunet.targets import ANY_SEQUENCE, BRAIN, RATERS, TUMOUR

BRAIN_SPACING_MM = 2.0


@dataclass(frozen=True)
class Recipe:
    """Settings of a training; the fields are keys of the config's section ``train``, explained there."""

    target: str = TUMOUR
    sequences: tuple[str, ...] = ("t1n", "t1c", "t2w", "t2f")
    regions: tuple[str, ...] = ("WT", "TC", "ET")
    preset: str = "standard"
    gpu_memory_gb: float | None = None
    spacing_mm: float | None = None
    patch_size: tuple[int, int, int] | None = None
    batch_size: int | None = None
    base_features: int = 32
    max_features: int = 320
    encoder_convolutions: int | tuple[int, ...] | None = None
    decoder_convolutions: int | tuple[int, ...] | None = None
    dropout: float = 0.0
    sequence_dropout: float = 0.0
    topk_percent: float = 10.0
    epochs: int = 1000
    iterations: int = 250
    validation_iterations: int = 50
    optimiser: str = "sgd"
    learning_rate: float = 0.01
    augmentation: str = "full"
    checkpoint_epochs: int = 5
    compile: bool = True
    seed: int = 42


def recipe_keys() -> tuple[str, ...]:
    """Return the keys of the config's section ``train`` that a recipe holds."""
    return tuple(field.name for field in fields(Recipe) if field.name != "seed")


def training_settings(train: Mapping[str, Any]) -> dict[str, Any]:
    """Return the section ``train`` as its target has it.

    For ``brain`` the network takes any one sequence and finds the brain, and there is nothing to leave out or
    to tune, whatever the section says of it. For ``raters`` it finds the one region that they mark, and there
    is nothing to tune either: a threshold of 0.5 stands for half of them.

    >>> train = {"target": "brain", "sequences": ["t1c"], "spacing_mm": None}
    >>> [training_settings(train)[key] for key in ("sequences", "regions", "spacing_mm")]
    [['any'], ['brain'], 2.0]
    """
    if train["target"] == RATERS:
        return {**train, "regions": [train["rater_region"]], "tuning_trials": 0, "tuning_rule": "none"}
    if train["target"] != BRAIN:
        return dict(train)
    spacing = train["spacing_mm"] or BRAIN_SPACING_MM
    fixed = {"sequence_dropout": 0, "tuning_trials": 0, "tuning_rule": "none", "spacing_mm": spacing}
    return {**train, "sequences": [ANY_SEQUENCE], "regions": [BRAIN], **fixed}


def trained_folds(train: Mapping[str, Any]) -> range:
    """Return the folds that a network is trained for: all of them, or the first ``folds_trained``.

    >>> list(trained_folds({"folds": 5, "folds_trained": 2}))
    [0, 1]

    Raises
    ------
    ConfigError
        More are to be trained than there are.
    """
    wanted = train["folds_trained"]
    if wanted and wanted > train["folds"]:
        raise ConfigError(
            f"config, train.folds_trained: {wanted}: is more than train.folds, {train['folds']}; "
            "write fewer, or null for all"
        )
    return range(wanted or train["folds"])


def optional_sequences(train: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the sequences that a session may lack for a model trained by these settings.

    >>> optional_sequences({"sequences": ["t1c", "t2f"], "sequence_dropout": 0.2})
    ('t1c', 't2f')
    >>> optional_sequences({"sequences": ["t1c", "t2f"], "sequence_dropout": 0})
    ()
    """
    sequences = tuple(train["sequences"])
    return sequences if train["sequence_dropout"] > 0 and len(sequences) > 1 else ()


def recipe_from(config: Mapping[str, Any], seed: int) -> Recipe:
    """Return the recipe that a config's section ``train`` describes.

    >>> recipe_from({"epochs": 3, "sequences": ["t1c"], "folds": 5}, seed=1).sequences
    ('t1c',)
    """
    chosen = {key: config[key] for key in recipe_keys() if key in config}
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in chosen.items()
    }
    return Recipe(**values, seed=seed)


def recipe_record(recipe: Recipe) -> dict[str, Any]:
    """Return a recipe as plain values, for JSON.

    >>> recipe_record(Recipe(patch_size=(32, 32, 32)))["patch_size"]
    [32, 32, 32]
    """
    return {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(recipe).items()}
