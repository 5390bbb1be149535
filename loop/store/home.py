"""What lies in `PERTLOOP_HOME` besides the database, and belongs into a backup."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from loop.store.atomic import PART

SNAPSHOTS = "snapshots"
INPUTS = "inputs"
LAB = "lab"

_AT_ONCE = 1 << 20

FOLDERS = (INPUTS, SNAPSHOTS, LAB)
"""The folders of a home whose files a backup holds; anything else can be made or fetched again."""


def kept_files(home: Path) -> Iterator[tuple[str, Path]]:
    """The files of a home that a backup holds: name below the home with '/', and path, in order."""
    for folder in sorted(FOLDERS):
        for path in sorted((home / folder).rglob("*")):
            name = path.relative_to(home)
            if path.is_file() and not any(part.endswith(PART) for part in name.parts):
                yield name.as_posix(), path


def sha256_of(file: BinaryIO) -> str:
    """The SHA-256 of what is left to read."""
    digest = hashlib.sha256()
    while content := file.read(_AT_ONCE):
        digest.update(content)
    return digest.hexdigest()
