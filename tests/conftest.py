"""What all tests share."""

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("gliaflow", deadline=None, max_examples=100)
settings.register_profile("nightly", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile("gliaflow")

REPOSITORY = Path(__file__).parent.parent
REAL_DATA = REPOSITORY.parent / "shared" / "data"


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout under test."""
    return REPOSITORY


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real scans; tests that need it skip where it is absent."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"the real scans are not at hand ({REAL_DATA} is absent)")
    return REAL_DATA


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working tree as a fresh clone has it: nothing that git ignores."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a checkout that git can list")
    folder = tmp_path_factory.mktemp("clone")
    for name in filter(None, listed.decode().split("\0")):
        source = REPOSITORY / name
        if source.is_symlink() or source.exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name, follow_symlinks=False)
    return folder
