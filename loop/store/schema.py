"""The database's version: created, checked, refused, moved.

Migrations run inside one transaction that has the writer's place, so a killed upgrade leaves
the old version, and of two programs that open a brand-new database one creates it.
"""

from pathlib import Path

from sqlalchemy import URL, Connection, Engine, inspect

from loop.domain.errors import SchemaVersionError, UnavailableError
from loop.store.atomic import make_folder
from loop.store.connection import connect, reading, sqlite_file, writing
from loop.store.refusals import refusals, shown

HEAD = "0002"
"""The version this code reads and writes: the newest file in `migrations/versions`."""

VERSION_TABLE = "pertloop_version"

MIGRATIONS = Path(__file__).parent / "migrations"


def require_current(engine: Engine) -> None:
    """Make a brand-new database; refuse one of another version.

    Raises:
        SchemaVersionError: If the database is older or newer than this code, or not ours.
    """
    with reading(engine).connect() as connection:
        found = version_of(connection)
    if found is None:
        with writing(engine).begin() as connection:
            # Another program may have been faster; then this changes nothing.
            migrate(connection)
    elif found != HEAD:
        raise _other_version(engine, found)


def upgrade(url: str) -> str:
    """Bring a database to this code's version; say from where to where, in a sentence.

    Raises:
        SchemaVersionError: If the database is newer than this code, or not ours.
        UnavailableError: If it cannot be reached, or stays locked.
        StorageFullError: If the disk is full; the database is as it was.
        UnreadableFileError: If the file is not a database.
    """
    file = sqlite_file(url)
    if file is not None:
        make_folder(file.parent)
    engine = connect(url)
    try:
        with refusals(engine.url), writing(engine).begin() as connection:
            found = version_of(connection)
            if found is not None and found not in known_versions():
                raise _other_version(engine, found)
            migrate(connection)
    finally:
        engine.dispose()
    where = shown(engine.url)
    if found is None:
        return f"Database {where} was created at version {HEAD}."
    if found == HEAD:
        return f"Database {where} is at version {HEAD} already; nothing was changed."
    return f"Database {where} was moved from version {found} to {HEAD}."


def require_present(url: URL) -> None:
    """Refuse a file that is not there, where opening it would make it.

    Raises:
        UnavailableError: If the file of an SQLite database does not exist.
    """
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        msg = f"There is no database {shown(url)}; check PERTLOOP_HOME and PERTLOOP_DATABASE_URL."
        raise UnavailableError(msg)


def version_of(connection: Connection) -> str | None:
    """The version of a database; None for a brand-new, empty one.

    Raises:
        SchemaVersionError: If it holds tables of something else.
    """
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if VERSION_TABLE in tables:
        found = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()
        if found is not None:
            return str(found)
    msg = (
        f"Database {shown(connection.engine.url)} holds tables ({', '.join(sorted(tables)[:3])}) "
        "that are not Pertloop's; give Pertloop an empty database of its own."
    )
    raise SchemaVersionError(msg)


def known_versions() -> list[str]:
    """Every version that this code can read a database of, newest first."""
    from alembic.script import ScriptDirectory

    return [each.revision for each in ScriptDirectory(str(MIGRATIONS)).walk_revisions()]


def migrate(connection: Connection, version: str = HEAD) -> None:
    """Run the migrations up to a version inside the transaction of `connection`."""
    # Alembic takes a tenth of a second to import, and is needed once in a database's life.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, version)


def _other_version(engine: Engine, found: str) -> SchemaVersionError:
    where = shown(engine.url)
    if found in known_versions():
        return SchemaVersionError(
            f"Database {where} is at version {found}, older than this Pertloop's {HEAD}; "
            "make a backup and run `pertloop db upgrade`."
        )
    return SchemaVersionError(
        f"Database {where} is at version {found}, which this Pertloop ({HEAD}) does not know, "
        "because a newer one made it; install that newer Pertloop."
    )
