"""The results file: one line of JSON for each finished run, appended, never rewritten."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loop.domain.errors import UnreadableFileError

FINISHED = ("done", "refused", "dnf")
"""What is not run again; a run that failed is."""


@dataclass(frozen=True, slots=True)
class Run:
    """One line of the file.

    `settings` is a hash of screen, strategy, seed and all that is asked; `code` of the code.
    """

    screen: str
    strategy: str
    seed: int
    settings: str
    code: str
    told: Mapping[str, object]

    @property
    def status(self) -> str:
        """'done', 'refused', 'dnf' or 'failed'."""
        return str(self.told["status"])


def append(path: Path, record: Mapping[str, object]) -> None:
    """Write one line and see it on the disk; after a half-written line a new one is begun.

    Raises:
        UnreadableFileError: If the file cannot be written.
    """
    line = json.dumps(record, allow_nan=False).encode() + b"\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            if file.tell() and not _ends_whole(file.fileno(), file.tell()):
                line = b"\n" + line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        msg = f"{path} cannot be written ({error.strerror}); name another file with --results."
        raise UnreadableFileError(msg) from error


def _ends_whole(descriptor: int, size: int) -> bool:
    return os.pread(descriptor, 1, size - 1) == b"\n"


def read(path: Path) -> tuple[list[Run], tuple[str, ...]]:
    """Every run of the file, and a sentence for each line that cannot be read.

    Raises:
        UnreadableFileError: If there is such a file but it cannot be opened.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return [], ()
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}); name another file with --results."
        raise UnreadableFileError(msg) from error
    runs, notes = [], []
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            runs.append(_run(json.loads(line)))
        except (ValueError, KeyError, TypeError):
            notes.append(
                f"{path}, line {number} is not a whole result (a run was killed while it was "
                "written, or it was edited); it is left out and run again."
            )
    return runs, tuple(notes)


def _run(record: Mapping[str, object]) -> Run:
    told = {key: record[key] for key in record if key not in Run.__dataclass_fields__}
    if told["status"] not in (*FINISHED, "failed") or not isinstance(told.get("rounds"), list):
        msg = "no status or rounds"
        raise ValueError(msg)
    return Run(
        str(record["screen"]),
        str(record["strategy"]),
        int(str(record["seed"])),
        str(record["settings"]),
        str(record["code"]),
        told,
    )
