"""Actions in a process of their own, forked from this one so that nothing is imported anew.

The parent must hold no open database and must have started no threads that the action needs.
"""

import gc
import os
import resource
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

_FILE_EVENTS = frozenset(
    {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "sqlite3.connect"}
)


Action = Callable[[], object]


def start(action: Action) -> int:
    """Start an action in a child and return its process id; it ends with 0 if all went well."""
    gc.collect()
    with warnings.catch_warnings():
        # Python 3.12 and later warn of any fork beside a thread; the action uses none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child:
        return child
    status = 1
    try:
        action()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def wait(child: int) -> int:
    """The exit code of a child; minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run(action: Action) -> int:
    """Run an action in a child to its end."""
    return wait(start(action))


def limit_memory(further: int) -> None:
    """Let this process's address space grow by so many bytes only."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + further
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def die_at(number: int, home: Path) -> None:
    """Kill this process with SIGKILL just before its n-th step that could leave a trace.

    Steps are: opening, renaming, removing and making files and folders under `home`, flushing
    them, opening the database, every SQL statement, and either side of every commit.
    """
    left = number

    def step(*_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def audited(name: str, arguments: tuple[object, ...]) -> None:
        if name in _FILE_EVENTS and str(home) in os.fsdecode(_path(arguments)):
            step()

    fsync = os.fsync

    def stepping_fsync(descriptor: Any) -> None:
        step()
        fsync(descriptor)

    os.fsync = stepping_fsync  # type: ignore[assignment]
    sys.addaudithook(audited)
    event.listen(Engine, "before_cursor_execute", step)
    event.listen(Engine, "commit", step)
    event.listen(Session, "after_commit", step)


def _path(arguments: tuple[object, ...]) -> str | bytes:
    first = arguments[0] if arguments else ""
    return first if isinstance(first, str | bytes) else str(first)
