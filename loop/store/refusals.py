"""What a database says when it cannot, as sentences for a person."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from loop.domain.errors import (
    LoopError,
    StorageFullError,
    UnavailableError,
    UnreadableFileError,
)

_PRIMARY = 0xFF
"""SQLite's extended error codes keep the plain one in their lowest byte."""

_UNIQUE = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, "23505"}
_FOREIGN_KEY = {sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY, "23503"}


def shown(url: URL) -> str:
    """A database as a person knows it: the file, or the address without its password."""
    if url.get_backend_name() == "sqlite":
        return repr(url.database)
    return repr(url.render_as_string(hide_password=True))


@contextmanager
def refusals(url: URL) -> Iterator[None]:
    """Turn what the database of `url` refuses into the error that a person can act on.

    Raises:
        StorageFullError: If the disk is full.
        UnavailableError: If the database is locked, read-only or out of reach.
        UnreadableFileError: If the file is not a database, or damaged.
    """
    try:
        yield
    except DBAPIError as error:
        refusal = _refusal(error, shown(url))
        if refusal is None:
            raise
        raise refusal from error


_Kind = tuple[type[LoopError], str]

_FULL: _Kind = (
    StorageFullError,
    "The disk of database {} is full; nothing was written: make room and try again.",
)
_LOCKED: _Kind = (
    UnavailableError,
    "Database {} is locked by another program and stayed so; try again in a moment.",
)
_READ_ONLY: _Kind = (
    UnavailableError,
    "Database {} may not be written here: it is read-only, or was opened for reading.",
)
_CANNOT_OPEN: _Kind = (
    UnavailableError,
    "Database {} cannot be opened; check that its folder exists, that you may write there, "
    "and that the disk works.",
)
_NOT_A_DATABASE: _Kind = (
    UnreadableFileError,
    "File {} is not a database; name another with PERTLOOP_DATABASE_URL.",
)
_DAMAGED: _Kind = (
    UnreadableFileError,
    "Database {} is damaged; run `pertloop db check`, and restore a backup.",
)

_REFUSALS: dict[int | str, _Kind] = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: _CANNOT_OPEN,
    sqlite3.SQLITE_PERM: _CANNOT_OPEN,
    sqlite3.SQLITE_IOERR: _CANNOT_OPEN,
    sqlite3.SQLITE_NOTADB: _NOT_A_DATABASE,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    "53100": _FULL,
    "55P03": _LOCKED,
    "40P01": _LOCKED,
    "40001": _LOCKED,
    "25006": _READ_ONLY,
}

_OUT_OF_REACH = {None, "08", "28", "3D", "53", "57"}
"""Classes of SQLSTATE that speak of the server; a failed connection has none."""


def _refusal(error: DBAPIError, where: str) -> LoopError | None:
    code = _code(error)
    known = _REFUSALS.get(code & _PRIMARY if isinstance(code, int) else code or "")
    if known is not None:
        kind, sentence = known
        return kind(sentence.format(where))
    category = code[:2] if isinstance(code, str) else code
    if isinstance(error, OperationalError) and category in _OUT_OF_REACH:
        said = str(error.orig).strip().splitlines() or ["no reason given"]
        return UnavailableError(
            f"Database {where} cannot be reached ({said[-1].strip()}); "
            "check the address and that the server runs."
        )
    return None


def _code(error: DBAPIError) -> int | str | None:
    """SQLite's error code, or PostgreSQL's SQLSTATE."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is None:
        code = getattr(error.orig, "sqlstate", None)
    return code if isinstance(code, int | str) else None


@contextmanager
def refusing(
    session: Session, taken: Callable[[], LoopError], orphan: Callable[[], LoopError]
) -> Iterator[None]:
    """Write whole or not at all inside a transaction, which stays usable after a refusal.

    Args:
        session: The transaction.
        taken: The error to raise where a unique key is taken.
        orphan: The error to raise where what the rows belong to does not exist.
    """
    first: DBAPIError | None = None
    try:
        with session.begin_nested():
            try:
                yield
                session.flush()
            except DBAPIError as error:
                first = error
                raise
    except IntegrityError as error:
        code = _code(error)
        if code in _UNIQUE:
            raise taken() from error
        if code in _FOREIGN_KEY:
            raise orphan() from error
        raise
    except OperationalError as error:
        # A full disk ends SQLite's transaction, and then the savepoint is not there either.
        raise first or error from None
