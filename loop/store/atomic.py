"""Files that are there whole or not at all, also after a kill or a power cut."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from loop.domain.errors import StorageFullError, UnavailableError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

PART = ".part"
"""The end of a name that is not final yet; a kill may leave one behind, and it means nothing."""


@contextmanager
def disk(folder: Path) -> Iterator[None]:
    """Turn what the disk refuses below `folder` into a sentence.

    Raises:
        StorageFullError: If the disk is full, or a quota or size limit is reached.
        UnavailableError: If the folder cannot be used for another reason.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            msg = (
                f"The disk of {str(folder)!r} is full; nothing was written: "
                "make room and try again."
            )
            raise StorageFullError(msg) from error
        where = f" at {str(error.filename)!r}" if error.filename else ""
        msg = (
            f"Folder {str(folder)!r} cannot be used ({error.strerror or error}{where}); "
            "check that it is a folder and that you may read and write there."
        )
        raise UnavailableError(msg) from error


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, if they are not there."""
    with disk(folder):
        folder.mkdir(parents=True, exist_ok=True)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name when the block ends without an error.

    It is written under another name in the same folder, synced, renamed, and the folder
    synced; whatever goes wrong removes it, and a file that had the name stays as it was.

    Raises:
        StorageFullError: If the disk is full; nothing is left behind.
        UnavailableError: If the folder cannot be written.
    """
    make_folder(path.parent)
    with disk(path.parent):
        number, name = tempfile.mkstemp(prefix=".", suffix=PART, dir=path.parent)
        try:
            with os.fdopen(number, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
        sync_folder(path.parent)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; see `whole_file`."""
    with whole_file(path) as file:
        file.write(content)


def write_synced(path: Path, content: bytes) -> None:
    """Write a file of a folder that has no final name yet, and make it durable."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
