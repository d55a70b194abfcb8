"""How long the workflow takes to plan a cohort, and how much memory: parse, sheet, DAG, dry run.

    python benchmarks/planning.py [SESSIONS ...]

The scans are empty files; nothing is read from them.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
SEQUENCES = ("t1n", "t1c", "t2w", "t2f")


def make_cohort(folder: Path, sessions: int) -> Path:
    lines = ["\t".join(["cohort", "subject", "session", *SEQUENCES])]
    for number in range(sessions):
        subject = folder / f"{number:05d}"
        subject.mkdir()
        for sequence in SEQUENCES:
            (subject / f"{sequence}.nii.gz").touch()
        lines.append("\t".join(["c", f"{number:05d}", "1", *(f"{subject}/{s}.nii.gz" for s in SEQUENCES)]))
    sheet = folder / "samples.tsv"
    sheet.write_text("\n".join(lines) + "\n")
    return sheet


def plan(sessions: int) -> None:
    with tempfile.TemporaryDirectory() as work:
        sheet = make_cohort(Path(work), sessions)
        command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "all", "--directory", f"{work}/out"]
        start = time.perf_counter()
        subprocess.run([*command, "--config", f"samples=[{sheet}]"], cwd=REPOSITORY, check=True)
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{sessions} sessions: {seconds:.1f} s, peak {peak:.0f} MB (of all runs so far)", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sessions", nargs="*", type=int, default=[10, 100, 1000])
    for count in parser.parse_args().sessions:
        plan(count)
