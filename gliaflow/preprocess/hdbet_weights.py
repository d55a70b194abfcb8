"""Whether a folder holds the weights of HD-BET; light enough to ask before any job starts."""

from pathlib import Path

from gliaflow.errors import ConfigError

CHECKPOINT = Path("fold_all") / "checkpoint_final.pth"
NEEDED = (Path("plans.json"), Path("dataset.json"), CHECKPOINT)


def missing_weights(folder: Path) -> list[str]:
    """Return the files of HD-BET's release that a folder lacks."""
    return [str(name) for name in NEEDED if not (folder / name).is_file()]


def check_weights(folder: Path) -> None:
    """Check that a folder holds HD-BET's weights.

    Raises
    ------
    ConfigError
        A file is missing; says where the weights come from.
    """
    missing = missing_weights(folder)
    if missing:
        raise ConfigError(
            f"{folder}: has no weights of HD-BET ({', '.join(missing)} not found). Unpack HD-BET's release "
            "there, or set preprocess.brain_extraction.weights to the folder that has them, or enter "
            "its sha256 in config/models.yaml and run `snakemake --cores 1 fetch_hdbet` where there is a "
            "network, or use method: embedded"
        )
