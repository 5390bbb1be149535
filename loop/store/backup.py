"""One file that holds everything, and the way back; it moves between SQLite and PostgreSQL.

The file is a tar (gzipped where its name ends in `gz`): `database.jsonl` with every row, the
files of the home, and last `manifest.json` with the SHA-256 of each. Rows are read before
files: a row is only ever committed after the file it names, so no row lacks its file.
"""

import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from sqlalchemy import Connection, Engine

from loop.domain.errors import AlreadyExistsError, SchemaVersionError
from loop.store.archive import MANIFEST, ROWS, add, add_manifest, reader, verified, writer
from loop.store.atomic import disk, make_folder, whole_file
from loop.store.connection import connect, reading, sqlite_file, writing
from loop.store.dump import is_empty, read_rows, tables, write_rows
from loop.store.home import kept_files, sha256_of
from loop.store.integrity import check
from loop.store.refusals import refusals, shown
from loop.store.schema import (
    HEAD,
    VERSION_TABLE,
    migrate,
    require_present,
    version_of,
)

__all__ = ["backup", "check", "restore"]


def backup(home: Path, url: str, destination: Path) -> str:
    """Write everything into one file, while others may go on working; say so in a sentence.

    Args:
        home: The folder of snapshots, inputs and plate maps.
        url: The database's address.
        destination: The file to make; gzipped if its name ends in `gz`.

    Raises:
        AlreadyExistsError: If the destination is there already.
        SchemaVersionError: If the database is of another version.
        UnavailableError: If there is no database, or it cannot be reached.
        StorageFullError: If the disk is full; nothing is left behind.
    """
    if destination.exists():
        msg = f"File {str(destination)!r} is there already; name a new one for the backup."
        raise AlreadyExistsError(msg)
    engine = connect(url)
    try:
        with (
            refusals(engine.url),
            whole_file(destination) as file,
            writer(file, destination) as archive,
        ):
            rows = _add_rows(archive, engine, destination.parent)
            sums = {ROWS: rows.sha256}
            for name, path in kept_files(home):
                with path.open("rb") as content:
                    sums[name] = add(archive, name, content, path.stat().st_size)
            add_manifest(archive, sums)
    finally:
        engine.dispose()
    return (
        f"Wrote {rows.count} rows and {len(sums) - 1} files to {str(destination)!r}; "
        f"`pertloop db restore` brings them back."
    )


@dataclass(frozen=True, slots=True)
class _Rows:
    sha256: str
    count: int


def _add_rows(archive: tarfile.TarFile, engine: Engine, folder: Path) -> _Rows:
    require_present(engine.url)
    with tempfile.TemporaryFile(dir=folder) as rows:
        with reading(engine).connect() as connection:
            found = version_of(connection)
            if found != HEAD:
                msg = (
                    f"Database {shown(engine.url)} is at version {found or 'none'}, and this "
                    f"Pertloop's is {HEAD}; run `pertloop db upgrade` first."
                )
                raise SchemaVersionError(msg)
            count = write_rows(connection, cast(BinaryIO, rows))
        size = rows.tell()
        rows.seek(0)
        return _Rows(add(archive, ROWS, cast(BinaryIO, rows), size), count)


def restore(source: Path, home: Path, url: str) -> str:
    """Bring back what `backup` wrote, into an empty home and database; say so in a sentence.

    The whole file is checked before anything is written. The database is written last and in
    one transaction: killed before that, the same call again finishes the work.

    Raises:
        UnreadableFileError: If the file is no backup, or is damaged; nothing was written.
        SchemaVersionError: If a newer Pertloop made it; nothing was written.
        AlreadyExistsError: If the home or the database holds something else already.
        StorageFullError: If the disk is full; what was written is removed.
    """
    with reader(source) as archive:
        schema, sums = verified(archive, source)
    _require_room(home, sums)
    file = sqlite_file(url)
    is_new = file is not None and not file.exists()
    if file is not None:
        make_folder(file.parent)
    engine = connect(url)
    written: list[Path] = []
    try:
        with refusals(engine.url):
            with reading(engine).connect() as connection:
                _require_empty(connection)
            with reader(source) as archive, disk(home):
                _write_files(archive, home, written)
            with reader(source) as archive, writing(engine).begin() as connection:
                _require_empty(connection)
                _write_rows(connection, archive, schema)
    except BaseException:
        engine.dispose()
        for path in written:
            path.unlink(missing_ok=True)
        if is_new and file is not None:
            _remove_database(file)
        raise
    engine.dispose()
    return (
        f"Restored {len(sums) - 1} files and the database {shown(engine.url)} from {str(source)!r}."
    )


def _remove_database(file: Path) -> None:
    for end in ("", "-wal", "-shm"):
        file.with_name(file.name + end).unlink(missing_ok=True)


def _require_room(home: Path, sums: dict[str, str]) -> None:
    """Refuse files that the backup does not hold; those of a restore that was killed may stay."""
    for name, path in kept_files(home):
        with path.open("rb") as content:
            if sums.get(name) != sha256_of(content):
                msg = (
                    f"Home {str(home)!r} is not empty (it holds {name!r}); "
                    "nothing was written: restore into an empty one."
                )
                raise AlreadyExistsError(msg)


def _require_empty(connection: Connection) -> None:
    if version_of(connection) is not None and not is_empty(connection):
        msg = (
            f"Database {shown(connection.engine.url)} is not empty; nothing was written: "
            "restore into an empty one."
        )
        raise AlreadyExistsError(msg)


def _write_files(archive: tarfile.TarFile, home: Path, written: list[Path]) -> None:
    """Write the files that are not there yet, and note each in `written`."""
    for member in archive:
        path = home / member.name
        content = archive.extractfile(member)
        if member.name in {ROWS, MANIFEST} or content is None or path.exists():
            continue
        with whole_file(path) as file:
            shutil.copyfileobj(content, file)
        written.append(path)


def _write_rows(connection: Connection, archive: tarfile.TarFile, schema: str) -> None:
    """Make the tables anew as they were in the backup, fill them, and migrate them."""
    tables(connection).drop_all(connection)
    connection.exec_driver_sql(f"DROP TABLE IF EXISTS {VERSION_TABLE}")
    migrate(connection, schema)
    rows = archive.extractfile(ROWS)
    if rows is not None:
        read_rows(connection, cast(BinaryIO, rows))
    migrate(connection)
