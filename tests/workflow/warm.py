"""Snakemake in processes that begin with all it imports, which is half of what a plan takes."""

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        *("snakemake.cli", "snakemake.api", "snakemake.linting.rules", "pandas", "nibabel", "jsonschema"),
        *("snakemake_executor_plugin_slurm", "snakemake_executor_plugin_slurm_jobstep", "pulp"),
        *("gliaflow.config.suitable", "gliaflow.nnunet.manifest", "gliaflow.predict.tasks"),
    ]
)
HANGS = 300


def call(function: Callable[..., None], arguments: Sequence[str], cwd: Path) -> tuple[int, str]:
    """Call a function in another folder and process; return its exit status and what it printed."""
    with tempfile.NamedTemporaryFile() as printed:
        process = FORKS.Process(target=_called, args=(function, list(arguments), str(cwd), printed.name))
        process.start()
        process.join(HANGS)
        if process.exitcode is None:
            process.kill()
            raise TimeoutError(f"{function.__name__} {arguments}: hangs")
        return process.exitcode, Path(printed.name).read_text(errors="replace")


def command_line(*arguments: str) -> None:
    """Do what the command ``snakemake`` does."""
    from snakemake.cli import main

    main(arguments)


def _called(function: Callable[..., None], arguments: list[str], cwd: str, printed: str) -> None:
    with Path(printed).open("wb") as stream:
        for number in (1, 2):
            os.dup2(stream.fileno(), number)
    os.chdir(cwd)
    function(*arguments)
