"""Time and memory of the cohort simulator: python benchmarks/simulate.py [SUBJECTS].

Each kind of cohort is made in a process of its own, one subject after another; the rate is that of one core.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KINDS = {
    "whole heads, 3 scans, 1.5 mm": ["whole_heads"],
    "whole heads, 3 scans, 1 mm": ["whole_heads", "--resolution-mm", "1"],
    "stripped brains with tumours, 4 scans, 2 mm": ["labelled"],
    "stripped brains with tumours, 4 scans, 1 mm": ["labelled", "--resolution-mm", "1"],
}


def measure(arguments: list[str], subjects: int) -> tuple[float, float]:
    """Make a cohort; return the CPU seconds that it took in all, and the wall-clock seconds."""
    module, *options = arguments
    with tempfile.TemporaryDirectory() as folder:
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        command = [sys.executable, "-m", f"gliaflow.simulate.{module}", str(Path(folder, "cohort"))]
        subprocess.run([*command, "--subjects", str(subjects), *options], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.perf_counter() - start


def main() -> None:
    """Print a row for each kind of cohort."""
    subjects = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print("| cohort | CPU s a subject | wall s a subject | subjects an hour and core | peak MB so far |")
    print("|---|---:|---:|---:|---:|")
    for name, arguments in KINDS.items():
        cpu, wall = measure(arguments, subjects)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        each = cpu / subjects
        print(f"| {name} | {each:.1f} | {wall / subjects:.1f} | {3600 / each:.0f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
