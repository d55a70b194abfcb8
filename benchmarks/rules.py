"""Time and memory of every rule of a finished run, from the files that its jobs left.

python benchmarks/rules.py RUN_FOLDER
"""

import argparse
from pathlib import Path

import pandas as pd


def rule_table(folder: Path) -> pd.DataFrame:
    """One row a rule: jobs, median and largest seconds, largest memory in MB, CPU seconds in all."""
    files = sorted(folder.glob("*/**/*.tsv"))
    jobs = pd.concat(
        [pd.read_csv(f, sep="\t", na_values="-").assign(rule=f.relative_to(folder).parts[0]) for f in files]
    )
    groups = jobs.groupby("rule")
    table = pd.DataFrame(
        {
            "jobs": groups["s"].size(),
            "median_s": groups["s"].median().round(1),
            "largest_s": groups["s"].max().round(1),
            "cpu_s": groups["cpu_time"].sum().round(1),
            "peak_mb": groups["max_rss"].max().round(),
        }
    )
    return table.sort_values("cpu_s", ascending=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="folder that holds benchmarks/")
    print(rule_table(parser.parse_args().run / "benchmarks").to_markdown())
