"""Write config/README.md from the schemas: ``python -m gliaflow.config.document [--check]``."""

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import yaml

from gliaflow.config.mistakes import listing
from gliaflow.config.schema import FOLDER, TYPES, Schema, load_schema

TARGET = FOLDER.parent / "README.md"
LONGEST = 250
BAR = r"\|"
PATTERNS = {"^[A-Za-z0-9]+$": "letters and digits", "^[0-9a-f]{64}$": "64 hexadecimal digits"}

START = """\
# The config

Written by `python -m gliaflow.config.document` from `config/schemas`; change it there.

| file | what it says |
| --- | --- |
| `config/config.yaml` | what the workflow does: [keys](#keys-of-configyaml) |
| `config/samples.tsv` | which sessions there are, and their scans: [columns](#columns-of-a-sample-sheet) |
| `config/participants.tsv` | patients' data, optional: [columns](#columns-of-the-patients-data) |
| `config/models.yaml` | which models there are: [keys](#keys-of-the-model-table) |
| reviews | what reviewers decided, optional: [columns](#columns-of-a-review) |

All of them are checked before any job starts. A mistake is reported with its place, what is wrong and what to
write instead, and all mistakes at once.

## Adding a cohort

1. Make a folder for the cohort, next to its scans or anywhere else, and in it a sheet `hospitalA.tsv`: text
   with tabs between the cells, saved as UTF-8. A spreadsheet can write it ("Text, tab-delimited"). Three
   columns are needed, and of the others only those that you fill; their order does not matter:

   | cohort | subject | session | days | t1n | t1c | t2w | t2f | dicom |
   | --- | --- | --- | --- | --- | --- | --- | --- | --- |
   | hospitalA | P01 | 1 | 0 | | | | | scans/P01/first |
   | hospitalA | P01 | 2 | 92 | | series=7 | | none | scans/P01/second |
   | hospitalA | P02 | 1 | 0 | P02/t1.nii.gz | P02/t1_gd.nii.gz | P02/t2.zip | P02/flair | |

   The first row gives a study as it came from the scanner; the four sequences are found by their headers. In
   the second, the T1 after contrast is series 7 of the study, and no FLAIR was made. The third gives each
   scan by itself. Subjects are numbered, not named: their identifiers appear in every result.
2. Look at what would be done, then do it:

   ```
   snakemake --dry-run --config 'samples=[hospitalA/hospitalA.tsv]'
   snakemake --cores 4 --config 'samples=[hospitalA/hospitalA.tsv]'
   ```

   To keep it, write the sheet into `config/config.yaml`; several cohorts are several sheets:
   `samples: [hospitalA/hospitalA.tsv, hospitalB/hospitalB.tsv]`.
3. The results lie in `results/hospitalA/`.

"""
CELLS = """\

### What a scan's cell may hold

| cell | meaning |
| --- | --- |
| `scans/P01/t1c` | a folder with the DICOM files of one series |
| `scans/P01/t1c.zip` | a .zip of such a folder |
| `scans/P01/t1c.nii.gz` | a NIfTI file, .nii or .nii.gz |
| `series=7` | the series with the SeriesNumber 7 of the study in the row's column `dicom` |
| `none` | this scan was not made; it is not searched for either |
| empty | searched for in the study of the column `dicom`; without a study, this scan was not made |

A relative path starts from the folder of the sheet. Blanks around a cell do not count; names of folders and
files may hold any printable character. Identifiers are letters and digits, because they become parts of file
names.
"""


def page() -> str:
    """Return config/README.md as text."""
    config, models = load_schema("config"), load_schema("models")
    parts = [
        START,
        f"## Keys of config.yaml\n\n{config['description']}\n\n",
        *_config_tables(config),
        f"## Columns of a sample sheet\n\n{load_schema('samples')['description']}\n\n",
        _table(_columns(load_schema("samples"))),
        CELLS,
        f"\n## Columns of the patients' data\n\n{load_schema('participants')['description']}\n\n",
        _table(_columns(load_schema("participants"))),
        f"\n## Columns of a review\n\n{load_schema('reviews')['description']}\n\n",
        _table(_columns(load_schema("reviews"))),
        f"\n## Keys of the model table\n\n{models['description']}\n",
        *(
            f"\n### {key}\n\n{part['description']}\n\n{_table(_columns(part['items'], empty='`null`'))}"
            for key, part in models["properties"].items()
        ),
    ]
    return "".join(parts)


def main(arguments: list[str] | None = None) -> int:
    """Write the page, or with ``--check`` tell by the exit status whether the file is current."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="write nothing; status 1 if the file is not current"
    )
    text = page()
    if not parser.parse_args(arguments).check:
        TARGET.write_text(text, encoding="utf-8")
    elif not TARGET.exists() or TARGET.read_text(encoding="utf-8") != text:
        print(f"{TARGET} is not current; run python -m gliaflow.config.document", file=sys.stderr)
        return 1
    return 0


def _config_tables(config: Schema) -> Iterator[str]:
    sections = {key: part for key, part in config["properties"].items() if _is_section(part)}
    plain = {key: part for key, part in config["properties"].items() if key not in sections}
    yield _table(row for key, part in plain.items() for row in _keys(key, part, part["default"]))
    for key, part in sections.items():
        keys = part["properties"].items()
        rows = (row for name, sub in keys for row in _keys(f"{key}.{name}", sub, sub["default"]))
        yield f"\n### {key}\n\n{part['description']}\n\n{_table(rows)}"
        for name, sub in keys:
            if len(_code(sub["default"])) > LONGEST:
                text = yaml.safe_dump(sub["default"], width=10_000)
                yield f"\nThe default of `{key}.{name}`:\n\n```yaml\n{text}```\n"
    yield "\n"


def _keys(key: str, part: Schema, default: Any) -> Iterator[list[str]]:
    if _is_section(part):
        yield [f"`{key}`", "the keys below", "", part["description"], _examples(part)]
    else:
        shown = _code(default) if len(_code(default)) <= LONGEST else "below the table"
        yield [f"`{key}`", _allowed(part), shown, part["description"], _examples(part)]
    given = default if isinstance(default, dict) else {}
    for name, sub in part.get("properties", {}).items():
        yield from _keys(f"{key}.{name}", sub, given.get(name, sub["default"]))
    yield from _entry_keys(key, part.get("items", {}))


def _entry_keys(key: str, entry: Schema) -> Iterator[list[str]]:
    """Return the keys of each entry of a list of mappings."""
    for name, sub in entry.get("properties", {}).items():
        shown = "needed" if name in entry["required"] else _code(sub["default"])
        yield [f"`{key}[].{name}`", _allowed(sub), shown, sub["description"], _examples(sub)]


def _is_section(part: Schema) -> bool:
    return part.get("type") == "object"


def _columns(schema: Schema, empty: str = "empty") -> Iterator[list[str]]:
    for name, part in schema["properties"].items():
        default = empty if part["default"] is None else _code(part["default"])
        default = "needed" if name in schema.get("required", ()) else default
        yield [f"`{name}`", _allowed(part), default, part["description"], _examples(part)]


def _table(rows: Iterator[list[str]]) -> str:
    head = ["name", "allowed", "default", "meaning", "example"]
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', BAR) for cell in line)} |\n" for line in lines)


def _allowed(part: Schema) -> str:
    if "enum" in part:
        return listing(_code(value) for value in part["enum"])
    kinds = part["type"] if isinstance(part["type"], list) else [part["type"]]
    form = PATTERNS.get(part.get("pattern", ""))
    text = listing(form if kind == "string" and form else TYPES[kind] for kind in kinds)
    if "array" in kinds and "enum" in part.get("items", {}):
        text += f" of {listing((_code(value) for value in part['items']['enum']), 'and')}"
    low = part.get("minimum", part.get("exclusiveMinimum"))
    high = part.get("maximum", part.get("exclusiveMaximum"))
    if high is not None:
        return f"{text}, {low} to {high}"
    return text if low is None else f"{text}, {low} or more"


def _examples(part: Schema) -> str:
    return ", ".join(_code(value) for value in part["examples"])


def _code(value: Any) -> str:
    if isinstance(value, str):
        return f"`{value}`" if value else "empty"
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000, allow_unicode=True)
    return f"`{text.removesuffix('...' + chr(10)).strip()}`"


if __name__ == "__main__":
    sys.exit(main())
