"""Snakemake in a clone, started as a user starts it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SNAKEMAKE = Path(sys.executable).with_name("snakemake")
ON_SLURM = ("--profile", "slurm")
SMALL = ("--snakefile", "tests/slurm/small.smk")
HANGS = 1800


@dataclass(frozen=True)
class Running:
    """A run that goes on; it prints to a file."""

    process: subprocess.Popen
    log: Path

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def end(self) -> int:
        """Wait for its end; its exit status."""
        try:
            return self.process.wait(timeout=HANGS)
        finally:
            self.process.kill()


def start(clone: Path, directory: Path, *arguments: str | Path) -> Running:
    """Start Snakemake in a clone, with the results in another folder."""
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "screen.txt"
    # Ctrl-C is to be taken as in a terminal; what a script starts in the background ignores it
    command = ["env", "--default-signal=INT", SNAKEMAKE, *arguments, "--directory", directory]
    with log.open("w") as stream:
        process = subprocess.Popen(
            list(map(str, command)), cwd=clone, env=os.environ, stdout=stream, stderr=subprocess.STDOUT
        )
    return Running(process, log)
