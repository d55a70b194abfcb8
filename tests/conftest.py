"""What all tests share."""

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
