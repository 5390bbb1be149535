"""The composition root: the only place where an implementation meets a port."""

import getpass
import os
from pathlib import Path

from loop.domain.errors import UnavailableError, UnreadableFileError
from loop.provided import Services
from loop.settings import Settings, read_settings
from loop.store.clock import SystemClock
from loop.store.engine import open_storage
from loop.store.files import InputFiles, SnapshotFiles


def build(settings: Settings | None = None, origin: str = "library") -> Services:
    """Put everything together; creates `home` and a new database where there is none.

    Raises:
        InvalidError: If a setting is wrong.
        SchemaVersionError: If the database belongs to another version.
        UnavailableError: If the database cannot be opened.
    """
    chosen = settings or read_settings()
    home = _made(chosen.home)
    return Services(
        chosen,
        open_storage(chosen.url),
        SnapshotFiles(home / "snapshots"),
        InputFiles(home / "inputs"),
        SystemClock(),
        chosen.user or _login(),
        origin,
    )


def _made(home: Path) -> Path:
    try:
        home.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        msg = f"PERTLOOP_HOME={home} is a file; name a folder."
        raise UnreadableFileError(msg) from error
    except OSError as error:
        msg = f"PERTLOOP_HOME={home} cannot be created: {(error.strerror or '').lower()}."
        raise UnavailableError(msg) from error
    return home


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"
