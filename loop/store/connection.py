"""Engines by URL, and the two ways a transaction begins.

A writer takes the writer's place when it begins, on both databases: a read that becomes a write
then never fails for having begun as a read. Measured with 8 processes on SQLite: 64 % of
deferred read-then-write transactions fail, none of the immediate ones.
"""

import sqlite3
import time
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from loop.domain.errors import InvalidError, UnavailableError, UnreadableFileError
from loop.store.atomic import disk
from loop.store.columns import read_json, write_json

PATIENCE_S = 30.0
"""How long a writer waits for its turn before it gives up."""

_WRITERS = 0x70657274
"""The advisory lock that stands for the writer's place on PostgreSQL: 'pert' in ASCII."""

_MAGIC = b"SQLite format 3\x00"
"""How every SQLite file begins."""

_BEGIN = "pertloop_begin"
_POSTGRES_NAMES = {"postgres", "postgresql", "postgresql+psycopg"}


def parse(url: str) -> URL:
    """Read a database's address.

    Raises:
        InvalidError: If it is none, or not of a database that we know.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise InvalidError(_not_an_address(url.partition("@")[2] or url)) from error
    if parsed.drivername in _POSTGRES_NAMES:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername != "sqlite" or parsed.database in {None, "", ":memory:"}:
        raise InvalidError(_not_an_address(parsed.render_as_string(hide_password=True)))
    return parsed


def _not_an_address(text: str) -> str:
    return (
        f"Database address {text!r} is not understood; write sqlite:///FILE or "
        "postgresql://USER:PASSWORD@HOST/NAME."
    )


def connect(url: str, patience_s: float = PATIENCE_S) -> Engine:
    """An engine for a database; nothing is opened yet.

    Raises:
        InvalidError: If the address is not understood.
        UnavailableError: If PostgreSQL is asked for and its driver is not installed.
        UnreadableFileError: If there is a file of that name that is not a database.
    """
    parsed = parse(url)
    if parsed.get_backend_name() == "sqlite":
        _require_database(Path(parsed.database or ""))
        return _sqlite(parsed, patience_s)
    return _postgres(parsed, patience_s)


def _require_database(file: Path) -> None:
    """Refuse a file of something else; SQLite would overwrite a very short one."""
    if not file.is_file():
        return
    with disk(file.parent), file.open("rb") as opened:
        begins = opened.read(len(_MAGIC))
    if begins not in {b"", _MAGIC}:
        msg = f"File {str(file)!r} is not a database; name another with PERTLOOP_DATABASE_URL."
        raise UnreadableFileError(msg)


def reading(engine: Engine) -> Engine:
    """The same engine; its transactions see one moment and may not write."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(**{_BEGIN: ["PRAGMA query_only = ON", "BEGIN"]})
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def writing(engine: Engine) -> Engine:
    """The same engine; its transactions wait for the writer's place and then have it alone."""
    if engine.dialect.name == "sqlite":
        begin = ["PRAGMA query_only = OFF", "BEGIN IMMEDIATE"]
    else:
        begin = [f"SELECT pg_advisory_xact_lock({_WRITERS})"]
    return engine.execution_options(**{_BEGIN: begin})


def _begin(connection: Connection) -> None:
    for statement in connection.get_execution_options().get(_BEGIN, ()):
        connection.exec_driver_sql(statement)


def _sqlite(url: URL, patience_s: float) -> Engine:
    engine = create_engine(
        url,
        # None: the driver begins nothing by itself; `_begin` does.
        connect_args={"timeout": patience_s, "isolation_level": None},
        max_overflow=-1,
        json_serializer=write_json,
        json_deserializer=read_json,
    )

    def prepare(connection: sqlite3.Connection, record: object) -> None:
        connection.execute("PRAGMA foreign_keys = ON")
        _use_wal(connection, patience_s)
        connection.execute("PRAGMA synchronous = FULL")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _use_wal(connection: sqlite3.Connection, patience_s: float) -> None:
    """Switch to the write-ahead log, once in a file's life.

    SQLite's own busy timeout does not cover the switch, so two programs that open a new file
    at once need this wait.
    """
    give_up = time.monotonic() + patience_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return


def _postgres(url: URL, patience_s: float) -> Engine:
    try:
        engine = create_engine(
            url,
            connect_args={
                "connect_timeout": 10,
                "options": f"-c lock_timeout={round(patience_s * 1000)} -c timezone=UTC",
            },
            max_overflow=-1,
            pool_pre_ping=True,
            json_serializer=write_json,
            json_deserializer=read_json,
        )
    except ImportError as error:
        msg = (
            "PostgreSQL needs the package psycopg, which is not installed; "
            "run `pip install 'pertloop[postgres]'`."
        )
        raise UnavailableError(msg) from error
    event.listen(engine, "begin", _begin)
    return engine


def sqlite_file(url: str) -> Path | None:
    """The file of an SQLite database; None for another kind.

    Raises:
        InvalidError: If the address is not understood.
    """
    parsed = parse(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        return Path(parsed.database)
    return None
