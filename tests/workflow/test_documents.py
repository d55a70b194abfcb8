"""The documents lead only to files that are in the repository."""

import re
import subprocess
from pathlib import Path

LINK = re.compile(r"\]\(([^)#:]+)\)")


def pages(repository: Path) -> list[Path]:
    return [p for p in (*repository.glob("*.md"), *repository.glob("*/*.md")) if ".venv" not in p.parts]


def test_every_link_of_the_documents_leads_to_a_tracked_file(repository: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    links = [(page, link) for page in pages(repository) for link in LINK.findall(page.read_text())]
    assert len(links) > 10
    dead = [
        (page.name, link)
        for page, link in links
        if str((page.parent / link).resolve().relative_to(repository.resolve())) not in tracked
    ]
    assert not dead


def test_the_demonstration_has_its_profile(repository: Path) -> None:
    command = ["git", "check-ignore", "-q", "profiles/demo/config.yaml"]
    assert subprocess.run(command, cwd=repository, check=False).returncode == 1
