"""Fetch a registered file whole, checked, or not at all."""

import errno
import hashlib
import os
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

import httpx

from loop.datasets.registry import Dataset, named
from loop.domain.errors import DownloadError, StorageFullError
from loop.ports.engine import Progress, silent

_SECONDS = 30.0
_FULL = (errno.ENOSPC, errno.EDQUOT)


def fetch(
    name: str, folder: Path, progress: Progress = silent, client: httpx.Client | None = None
) -> Path:
    """The file of a registered screen, downloaded unless it is already there.

    Args:
        name: As in the registry.
        folder: Where the file shall lie; made if missing.
        progress: Told the share downloaded; what it raises cancels, and leaves nothing behind.
        client: The HTTP client to use; one of its own, with 30 s of patience, where None.

    Raises:
        DatasetNotFoundError: If no screen has this name.
        DownloadError: If the file could not be fetched whole and right.
        StorageFullError: If the disk is full.
    """
    return download(named(name), folder, progress, client)


def download(
    dataset: Dataset,
    folder: Path,
    progress: Progress = silent,
    client: httpx.Client | None = None,
) -> Path:
    """`fetch` for a screen that need not be registered.

    The bytes go to a temporary file beside the goal, which takes its name only when length and
    SHA-256 are right and the bytes are on disk; until then, an older file stays as it was.
    """
    path = folder / dataset.file
    try:
        if _is_there(path, dataset):
            progress(1.0, f"{dataset.file} is already there")
            return path
        folder.mkdir(parents=True, exist_ok=True)
        with httpx.Client(timeout=_SECONDS) if client is None else nullcontext(client) as http:
            _replace(path, dataset, http, progress)
    except httpx.HTTPError as error:
        msg = (
            f"{dataset.name!r} could not be downloaded from {dataset.address}: "
            f"{str(error) or type(error).__name__}; nothing was kept, try again."
        )
        raise DownloadError(msg) from error
    except OSError as error:
        raise _storage_error(error, dataset, folder) from error
    return path


def _replace(path: Path, dataset: Dataset, client: httpx.Client, progress: Progress) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{dataset.file}.", suffix=".part", dir=path.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            _receive(file, dataset, client, progress)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(0o644)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    _make_durable(path.parent)


def _receive(file: BinaryIO, dataset: Dataset, client: httpx.Client, progress: Progress) -> None:
    digest, received = hashlib.sha256(), 0
    # The checksum is of the file itself, so it must not come compressed on the way.
    plain = {"Accept-Encoding": "identity"}
    with client.stream("GET", dataset.address, headers=plain, follow_redirects=True) as response:
        if response.status_code != httpx.codes.OK:
            msg = (
                f"{dataset.address} answered {response.status_code} {response.reason_phrase}; "
                f"{dataset.name!r} was not downloaded."
            )
            raise DownloadError(msg)
        for chunk in response.iter_bytes():
            received += len(chunk)
            if received > dataset.bytes:
                break
            digest.update(chunk)
            file.write(chunk)
            progress(received / dataset.bytes, f"downloading {dataset.file}")
    if received != dataset.bytes:
        amount = "more than" if received > dataset.bytes else f"{received} instead of"
        msg = (
            f"{dataset.address} sent {amount} the {dataset.bytes} bytes registered for "
            f"{dataset.name!r}; nothing was kept."
        )
        raise DownloadError(msg)
    if digest.hexdigest() != dataset.sha256:
        msg = (
            f"{dataset.address} sent other bytes than those registered for {dataset.name!r} "
            f"(SHA-256 {digest.hexdigest()[:12]}..., not {dataset.sha256[:12]}...); "
            "nothing was kept."
        )
        raise DownloadError(msg)


def _is_there(path: Path, dataset: Dataset) -> bool:
    if not path.is_file() or path.stat().st_size != dataset.bytes:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == dataset.sha256


def _make_durable(folder: Path) -> None:
    """Write the folder's entries to disk, so that the new name survives a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _storage_error(error: OSError, dataset: Dataset, folder: Path) -> Exception:
    if error.errno in _FULL:
        msg = (
            f"The disk that holds {folder} is full; {dataset.name!r} needs {dataset.bytes} bytes. "
            "Nothing was kept; make room and try again."
        )
        return StorageFullError(msg)
    msg = (
        f"{dataset.name!r} could not be written to {folder}: {error.strerror or error}; "
        "choose another folder or mend its permissions."
    )
    return DownloadError(msg)
