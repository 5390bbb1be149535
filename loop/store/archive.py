"""The file of a backup: a tar whose last member lists the SHA-256 of all the others."""

import hashlib
import json
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from loop.domain.errors import SchemaVersionError, UnreadableFileError
from loop.store.home import FOLDERS, sha256_of
from loop.store.schema import HEAD, known_versions

FORMAT = 1
"""The layout of the file; one of a higher format is refused."""

ROWS = "database.jsonl"
MANIFEST = "manifest.json"

_BROKEN = (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, KeyError, TypeError)


@contextmanager
def writer(file: BinaryIO, destination: Path) -> Iterator[tarfile.TarFile]:
    """Open a backup for writing; it is gzipped if its destination's name says so."""
    with (
        tarfile.open(fileobj=file, mode="w:gz", compresslevel=6)
        if destination.suffix in {".gz", ".tgz"}
        else tarfile.open(fileobj=file, mode="w")
    ) as archive:
        yield archive


class _Summing:
    """A file that is hashed while it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """Read on."""
        content = self._file.read(size)
        self.digest.update(content)
        return content


def add(archive: tarfile.TarFile, name: str, content: BinaryIO, size: int) -> str:
    """Add one file and return the SHA-256 of what was added."""
    about = tarfile.TarInfo(name)
    about.size = size
    about.mode = 0o644
    summing = _Summing(content)
    archive.addfile(about, cast(BinaryIO, summing))
    return summing.digest.hexdigest()


def add_manifest(archive: tarfile.TarFile, sums: dict[str, str]) -> None:
    """Add the last member, which says what all the others are."""
    manifest = {
        "format": FORMAT,
        "pertloop": version("pertloop"),
        "schema": HEAD,
        "files": sums,
    }
    content = json.dumps(manifest, indent=1, sort_keys=True).encode()
    add(archive, MANIFEST, BytesIO(content), len(content))


@contextmanager
def reader(source: Path) -> Iterator[tarfile.TarFile]:
    """Open a backup for reading.

    Raises:
        UnreadableFileError: If there is no such file, or it is no tar.
    """
    try:
        archive = tarfile.open(source)  # noqa: SIM115
    except FileNotFoundError as error:
        msg = f"There is no file {str(source)!r}; name a backup."
        raise UnreadableFileError(msg) from error
    except _BROKEN as error:
        raise _not_a_backup(source, "it is not a tar file") from error
    with archive:
        yield archive


def _not_a_backup(source: Path, why: object) -> UnreadableFileError:
    said = " ".join(str(why).split())
    msg = f"File {str(source)!r} is no whole backup ({said}); nothing was written: name another."
    return UnreadableFileError(msg)


def verified(archive: tarfile.TarFile, source: Path) -> tuple[str, dict[str, str]]:
    """Check every byte, and return the schema's version and the sums by name.

    Raises:
        UnreadableFileError: If anything is missing, damaged or too much.
        SchemaVersionError: If a newer Pertloop made it.
    """
    found: dict[str, str] = {}
    manifest = b""
    try:
        for member in archive:
            content = archive.extractfile(member)
            if content is None or member.name in found:
                raise _not_a_backup(source, f"{member.name!r} is odd")
            if member.name == MANIFEST:
                manifest = content.read()
            else:
                found[member.name] = sha256_of(cast(BinaryIO, content))
        if not manifest:
            raise _not_a_backup(source, "its end is missing")
        about = json.loads(manifest)
        made_in, schema, sums = about["format"], str(about["schema"]), dict(about["files"])
    except _BROKEN as error:
        raise _not_a_backup(source, error) from error
    if made_in > FORMAT or schema not in known_versions():
        msg = (
            f"Backup {str(source)!r} was made by Pertloop {about.get('pertloop')}, which is newer "
            "than this one; install that one and restore again."
        )
        raise SchemaVersionError(msg)
    if found != sums or ROWS not in sums:
        wrong = sorted(
            name for name in found.keys() | sums.keys() if found.get(name) != sums.get(name)
        )
        raise _not_a_backup(source, f"{(wrong or [ROWS])[0]!r} is missing or damaged")
    for name in sums:
        if name != ROWS and not _belongs(name):
            raise _not_a_backup(source, f"{name!r} does not belong there")
    return schema, sums


def _belongs(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return len(parts) > 1 and parts[0] in FOLDERS and ".." not in parts
