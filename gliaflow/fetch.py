"""Fetching an archive once, checked by its sha256, and unpacking it safely."""

import hashlib
import shutil
import urllib.request
import zipfile
import zlib
from http.client import HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory

from gliaflow.errors import ConfigError

BLOCK = 1 << 20
MOST_BYTES = 16 * 1024**3


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file as 64 hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def fetch_file(url: str | None, sha256: str | None, target: Path, name: str) -> None:
    """Download a file and check it.

    Parameters
    ----------
    url
        ``https:`` or ``file:``.
    sha256
        What the file has to have.
    target
        Where it goes; made whole or not at all.
    name
        What is fetched, for errors.

    Raises
    ------
    ConfigError
        No url or checksum is recorded, nothing can be downloaded, or the checksum is another.
    """
    if not url or not sha256:
        raise ConfigError(
            f"{name}: config/models.yaml records no {'url' if not url else 'sha256'}; enter the one that its "
            "publisher states, or download the archive yourself and unpack it"
        )
    if not url.startswith(("https://", "file://")):
        raise ConfigError(f"{name}: {url} is neither https: nor file:")
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent) as work:
        archive = Path(work) / "archive.zip"
        _download(url, archive, name)
        if (found := sha256_of(archive)) != sha256.lower():
            raise ConfigError(f"{name}: {url} has sha256 {found}, not {sha256}; nothing was kept")
        archive.replace(target)


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
        No url or checksum is recorded, nothing can be downloaded, the checksum is another, or the archive is
        no zip or holds no ``plans.json``.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent) as work:
        archive = Path(work) / "archive.zip"
        fetch_file(url, sha256, archive, name)
        content = Path(work) / "content"
        content.mkdir()
        _unpack(archive, content, name)
        plans = sorted(content.rglob("plans.json"))
        if not plans:
            raise ConfigError(f"{name}: {url} holds no plans.json; it is no nnU-Net model")
        shutil.rmtree(folder, ignore_errors=True)
        plans[0].parent.replace(folder)


def _download(url: str, target: Path, name: str) -> None:
    try:
        with urllib.request.urlopen(url) as source, target.open("wb") as stream:
            shutil.copyfileobj(source, stream, BLOCK)
    except (OSError, ValueError, HTTPException) as error:
        raise ConfigError(
            f"{name}: cannot download {url} ({error}); look at the network and the url"
        ) from error


def _unpack(archive: Path, folder: Path, name: str) -> None:
    """Unpack under the names in the zip; ``zipfile`` keeps them inside the folder and makes no links."""
    try:
        with zipfile.ZipFile(archive) as content:
            size = sum(entry.file_size for entry in content.infolist())
            if size > MOST_BYTES:
                raise ConfigError(f"{name}: what was downloaded would unpack to {size / 1e9:.1f} GB")
            content.extractall(folder)
    except (zipfile.BadZipFile, zlib.error, ValueError, RuntimeError, EOFError) as error:
        raise ConfigError(f"{name}: what was downloaded is no whole zip ({error})") from error
