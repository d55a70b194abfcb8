"""Running the workflow as a user does, and looking at what it left."""

import base64
import gzip
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent
COLUMNS = (
    "cohort",
    "subject",
    "session",
    "days",
    "t1n",
    "t1c",
    "t2w",
    "t2f",
    "dicom",
    "stripped",
    "registered",
)
EMBEDDED = re.compile(rb"base64,([A-Za-z0-9+/]{100,})=*")
QUICK = {"atlas": {"resolution": 2}}


@dataclass(frozen=True)
class Run:
    """A run of the workflow: its folder, exit status and everything it printed."""

    directory: Path
    status: int
    output: str

    def planned(self) -> Counter:
        """Jobs of each rule, from the table that Snakemake prints."""
        lines = self.output.split("Job stats:")[-1].splitlines() if "Job stats:" in self.output else []
        rows = [line.split() for line in lines if len(line.split()) == 2 and line.split()[1].isdigit()]
        return Counter({rule: int(count) for rule, count in rows if rule != "total"})


def write_sheet(path: Path, rows: list[dict[str, str]]) -> Path:
    lines = ["\t".join(COLUMNS), *("\t".join(str(row.get(c, "")) for c in COLUMNS) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def command(directory: Path, sheet: Path, *arguments: str, config: dict | None = None) -> list[str]:
    settings = [f"{key}={json.dumps(value)}" for key, value in (config or {}).items()]
    base = [sys.executable, "-m", "snakemake", "--cores", "2", "--snakefile", str(REPOSITORY / "Snakefile")]
    chosen = ["--directory", str(directory), *arguments]
    return [*base, *chosen, "--config", f"samples=[{json.dumps(str(sheet))}]", *settings]


def run(directory: Path, sheet: Path, *arguments: str, config: dict | None = None) -> Run:
    """Run the workflow to its end."""
    directory.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        command(directory, sheet, *arguments, config=config),
        cwd=REPOSITORY,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return Run(directory, done.returncode, done.stdout)


def run_and_kill(directory: Path, sheet: Path, when: Path, config: dict | None = None) -> None:
    """Start the workflow, and kill it and all it started as soon as a file is there."""
    directory.mkdir(parents=True, exist_ok=True)
    with subprocess.Popen(
        command(directory, sheet, config=config),
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        while not when.exists() and process.poll() is None:
            time.sleep(0.1)
        assert process.poll() is None, "the run ended before it could be killed"
        os.killpg(process.pid, signal.SIGKILL)


def checksums(directory: Path) -> dict[str, str]:
    """Sha256 of every NIfTI and TSV result, by its path."""
    files = sorted(
        f for f in (directory / "results").rglob("*") if f.name.endswith((".nii.gz", ".tsv", ".tfm"))
    )
    return {str(f.relative_to(directory)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def readable(path: Path) -> bytes:
    """A file's content, unpacked where it is gzip; in a page, embedded files are decoded."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(content)
    if path.suffix == ".html":
        return EMBEDDED.sub(lambda found: base64.b64decode(found[1] + b"==="), content)
    return content


def text_of_everything(directory: Path) -> dict[str, bytes]:
    """The content of every file that a run left, Snakemake's own included, by its path."""
    return {str(p.relative_to(directory)): readable(p) for p in sorted(directory.rglob("*")) if p.is_file()}


def holders(everything: dict[str, bytes], value: str) -> list[str]:
    """The files that hold a value."""
    return [name for name, content in everything.items() if value.encode() in content]
