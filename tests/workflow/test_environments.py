"""Conda, containers and make install the same versions of the same software."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from cohorts import REPOSITORY
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ENVIRONMENTS = sorted((REPOSITORY / "envs").glob("*.yaml"))
CONTAINERS = [REPOSITORY / "containers" / name for name in ("Dockerfile", "gliaflow.def")]
PYTHON = re.compile(r"^F(?:ROM|rom:) python:([\d.]+)-slim$", re.MULTILINE)


def pins() -> dict[str, str]:
    """Version of every package that make may install, by its name."""
    lines = (REPOSITORY / "envs" / "constraints.txt").read_text().split()
    return {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)}


def wanted(path: Path) -> tuple[str, list[Requirement]]:
    """The Python of an environment, and its packages."""
    content = yaml.safe_load(path.read_text())
    python, *others = (item for item in content["dependencies"] if isinstance(item, str))
    (packages,) = (item["pip"] for item in content["dependencies"] if isinstance(item, dict))
    assert python.startswith("python =")
    assert others == ["pip"]
    return python.removeprefix("python ="), [Requirement(line) for line in packages]


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_environment_pins_what_make_installs(path: Path) -> None:
    _, packages = wanted(path)
    assert len(packages) > 5
    given = {canonicalize_name(package.name): str(package.specifier) for package in packages}
    assert given == {name: f"=={pins().get(name)}" for name in given}


def test_an_environment_of_no_rule_is_none() -> None:
    named = re.findall(
        r'"../envs/(\w+)\.yaml"', "".join(p.read_text() for p in REPOSITORY.glob("rules/*.smk"))
    )
    assert set(named) == {path.stem for path in ENVIRONMENTS}


def test_every_package_of_the_project_is_pinned(project: dict) -> None:
    extras = [name for names in project["optional-dependencies"].values() for name in names]
    needed = {canonicalize_name(Requirement(line).name) for line in [*project["dependencies"], *extras]}
    assert len(needed) > 30
    assert needed <= set(pins())


def test_environments_and_containers_have_one_python_which_the_project_allows(project: dict) -> None:
    versions = {wanted(path)[0] for path in ENVIRONMENTS}
    for path in CONTAINERS:
        versions |= set(PYTHON.findall(path.read_text()))
        assert len(PYTHON.findall(path.read_text())) == 1
    assert len(versions) == 1
    assert f"{versions.pop()}.0" in SpecifierSet(project["requires-python"])


@pytest.mark.parametrize("path", CONTAINERS, ids=lambda path: path.name)
def test_a_container_installs_by_the_same_constraints(path: Path) -> None:
    installs = [line for line in path.read_text().splitlines() if "pip install" in line]
    assert len(installs) == 2
    assert all("-c envs/constraints.txt" in line for line in installs)


@pytest.mark.parametrize("path", CONTAINERS, ids=lambda path: path.name)
def test_a_container_takes_only_what_is_there_and_no_results(path: Path) -> None:
    copied = re.findall(
        r"^(?:COPY (.*) \S+|    ([\w./]+) /opt/gliaflow/\S+)$", path.read_text(), re.MULTILINE
    )
    names = {name for line in copied for name in "".join(line).split()}
    assert {"Snakefile", "gliaflow", "rules", "scripts", "envs", "config", "profiles"} <= names
    assert not [name for name in names if not (REPOSITORY / name).exists()]
    assert not names & {".", "results", "demo", "logs", "training"}


@pytest.mark.parametrize("path", CONTAINERS, ids=lambda path: path.name)
def test_a_container_has_all_resources_that_the_project_comes_with(path: Path) -> None:
    command = ["git", "ls-files", "resources"]
    listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    needed = {"/".join(line.split("/")[:2]) for line in listed.splitlines()}
    text = path.read_text()
    assert len(needed) >= 3
    assert "COPY resources resources" in text or not [name for name in needed if f"    {name} " not in text]
