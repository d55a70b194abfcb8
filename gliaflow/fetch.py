"""Fetching an archive once, checked by its sha256, and unpacking it safely."""

import hashlib
import shutil
import urllib.request
from pathlib import Path
from tempfile import TemporaryDirectory

from gliaflow.convert.archive import unpack
from gliaflow.errors import ConfigError

BLOCK = 1 << 20


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as 64 hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def fetch_archive(url: str | None, sha256: str | None, folder: Path, name: str) -> None:
    """Download a .zip, check it, and put the folder in it that holds ``plans.json`` in place.

    Parameters
    ----------
    url
        ``https:`` or ``file:``.
    sha256
        What the archive has to have.
    folder
        Where the content goes; made whole or not at all.
    name
        What is fetched, for errors.

    Raises
    ------
    ConfigError
        No url or checksum is recorded, the checksum is another, or the archive holds no ``plans.json``.
    """
    if not url or not sha256:
        raise ConfigError(
            f"{name}: config/models.yaml records no {'url' if not url else 'sha256'}; enter the one that its "
            "publisher states, or download the archive yourself and unpack it"
        )
    if not url.startswith(("https://", "file://")):
        raise ConfigError(f"{name}: {url} is neither https: nor file:")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as work:
        archive = Path(work) / "archive.zip"
        with urllib.request.urlopen(url) as source, archive.open("wb") as target:
            shutil.copyfileobj(source, target, BLOCK)
        if (found := sha256_of(archive)) != sha256:
            raise ConfigError(f"{name}: {url} has sha256 {found}, not {sha256}; nothing was kept")
        content = Path(work) / "content"
        content.mkdir()
        unpack(archive, content)
        plans = sorted(content.rglob("plans.json"))
        if not plans:
            raise ConfigError(f"{name}: {url} holds no plans.json; it is no nnU-Net model")
        shutil.rmtree(folder, ignore_errors=True)
        plans[0].parent.replace(folder)
