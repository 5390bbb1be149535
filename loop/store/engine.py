"""Opening a database."""

from loop.store.atomic import make_folder
from loop.store.connection import PATIENCE_S, connect, sqlite_file
from loop.store.refusals import refusals
from loop.store.schema import require_current
from loop.store.unit_of_work import SqlStorage


def open_storage(url: str, patience_s: float = PATIENCE_S) -> SqlStorage:
    """Open a database; a brand-new one is created, with its folder.

    Args:
        url: `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/NAME`.
        patience_s: How long a writer waits for its turn, in seconds.

    Raises:
        InvalidError: If the address is not understood.
        SchemaVersionError: If the database is of another version, or not ours.
        UnavailableError: If it cannot be reached, stays locked, or a driver is missing.
        StorageFullError: If the disk is full.
        UnreadableFileError: If the file is not a database.
    """
    engine = connect(url, patience_s)
    try:
        with refusals(engine.url):
            file = sqlite_file(url)
            if file is not None:
                make_folder(file.parent)
            require_current(engine)
    except BaseException:
        engine.dispose()
        raise
    return SqlStorage(engine)
