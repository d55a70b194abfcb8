"""How long the workflow takes to plan a cohort, and how much memory: parse, sheet, DAG, dry run.

    python benchmarks/planning.py [SESSIONS ...] [--batches N] [--empty RULES] [--profile NAME] [--plot FILE]

The scans are empty files: what reading the headers of real ones takes is not in it. With --empty, a workflow
is planned that does nothing: for each session a row of rules, each with one input, one output and nothing
else. It tells what Snakemake needs for so many jobs, whatever they are.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt

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


EMPTY = """\
rule all:
    input:
        expand("{{session}}/{last}.txt", session=range({sessions})),


for number in range({rules}):

    rule:
        name:
            f"step{{number}}"
        input:
            [f"{{{{session}}}}/{{number - 1}}.txt"] if number else [],
        output:
            f"{{{{session}}}}/{{number}}.txt",
        shell:
            "touch {{output}}"
"""


def arguments_for(folder: Path, sessions: int, batches: int, empty: int) -> list[str]:
    """What Snakemake is told to plan."""
    if empty:
        (folder / "Snakefile").write_text(EMPTY.format(sessions=sessions, rules=empty, last=empty - 1))
        return ["--snakefile", str(folder / "Snakefile")]
    target = ["sessions", "--batch", f"sessions=1/{batches}"] if batches > 1 else []
    return [*target, "--config", f"samples=[{make_cohort(folder, sessions)}]"]


def plan(sessions: int, batches: int, empty: int, profile: str) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak MB of planning a cohort, or the first batch of it."""
    with tempfile.TemporaryDirectory() as work:
        command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "all", "--directory", f"{work}/out"]
        command += ["--profile", profile] if profile else []
        command += arguments_for(Path(work), sessions, batches, empty)
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        assert status == 0
        return time.perf_counter() - start, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def draw(path: Path, rows: list[tuple[int, float, float]]) -> None:
    sessions, seconds, megabytes = zip(*rows, strict=True)
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    for axis, values, unit in zip(
        axes, (seconds, megabytes), ("seconds of CPU", "peak memory, MB"), strict=True
    ):
        axis.loglog(sessions, values, "o-", color="#0072B2")
        axis.set(xlabel="sessions", ylabel=unit)
        axis.grid(True, which="both", alpha=0.3)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sessions", nargs="*", type=int, default=[10, 100, 1000])
    parser.add_argument("--batches", type=int, default=1, help="plan the first of so many batches only")
    parser.add_argument("--empty", type=int, default=0, help="so many rules that do nothing instead")
    parser.add_argument("--profile", default="", help="as for Snakemake, such as slurm")
    parser.add_argument("--plot", type=Path, help="draw how it grows")
    options = parser.parse_args()
    measured = []
    for count in options.sessions:
        wall, cpu, peak = plan(count, options.batches, options.empty, options.profile)
        print(f"{count} sessions: {wall:.1f} s, {cpu:.1f} s of CPU, peak {peak:.0f} MB", flush=True)
        measured.append((count, cpu, peak))
    if options.plot:
        draw(options.plot, measured)
