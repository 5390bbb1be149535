"""A folder with one sub-folder for each job: written whole or not at all, found again by key."""

import csv
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab_adapters.plate_map import PLATE_MAP
from loop.domain.errors import (
    AlreadyExistsError,
    InvalidError,
    LabUnreachableError,
    LoopError,
    StorageFullError,
)
from loop.ports.lab import Problem, WorkOrder

_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_TAKEN = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR})


@dataclass(frozen=True, slots=True)
class DropFolder:
    """Jobs as sub-folders of `root`, named by their batch; that name is the lab's reference.

    A job is written beside its place under a hidden name, flushed to the disk, and renamed, so
    that whoever looks sees all of it or nothing.
    """

    root: Path

    def submit(self, key: str, batch: str, files: Mapping[str, bytes]) -> str:
        """Write a job and return its reference; a key that is already there is left as it is.

        Raises:
            InvalidError: If the batch or a file cannot be a plain file name.
            AlreadyExistsError: If the batch's folder holds something else.
            StorageFullError: If the disk is full; nothing is left behind.
            LabUnreachableError: If the folder cannot be written for another reason.
        """
        if (reference := self.find(key)) is not None:
            return reference
        _check_plain("Batch", batch)
        try:
            self._write(batch, files)
        except OSError as error:
            # Another process may have handed over the same job in the meantime.
            if (reference := self.find(key)) is not None:
                return reference
            raise _refusal(error, self.root / batch) from error
        return batch

    def find(self, key: str) -> str | None:
        """The reference of the job whose plate map carries this key.

        Cost: two lines read from each job's plate map.
        """
        try:
            maps = sorted(self.root.glob(f"[!.]*/{PLATE_MAP}"))
            found = (path.parent.name for path in maps if _key_of(path) == key)
            return next(found, None)
        except OSError as error:
            raise _refusal(error, self.root) from error

    def job(self, reference: str) -> Path:
        """The folder of a job.

        Raises:
            LabUnreachableError: If it is gone.
        """
        folder = self.root / reference
        if not folder.is_dir():
            msg = (
                f"The job's folder {str(folder)!r} is gone; put it back, or give its wells up by "
                "ingesting its results template with their values left empty."
            )
            raise LabUnreachableError(msg)
        return folder

    def read(self, reference: str, name: str) -> bytes:
        """The bytes of one file of a job.

        Raises:
            LabUnreachableError: If it is gone or cannot be read.
        """
        path = self.job(reference) / name
        try:
            return path.read_bytes()
        except OSError as error:
            raise _refusal(error, path) from error

    def _write(self, name: str, files: Mapping[str, bytes]) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{name}.", suffix=".part", dir=self.root))
        try:
            part.chmod(0o755)
            for file_name, content in files.items():
                _check_plain("File", file_name)
                _write_flushed(part / file_name, content)
            _flush_folder(part)
            part.rename(self.root / name)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        _flush_folder(self.root)
        # What a killed process may have left of this same job.
        for remnant in self.root.glob(f".{name}.*.part"):
            shutil.rmtree(remnant, ignore_errors=True)


def naming_problems(order: WorkOrder) -> list[Problem]:
    """What stands against an order being written as a folder of files."""
    problems = []
    if not _PLAIN.fullmatch(order.batch):
        problems.append(Problem(_not_plain("Batch", order.batch)))
    if not order.plates or not order.readouts:
        problems.append(
            Problem(f"Batch {order.batch!r} has no plates or no readouts: nothing to make.")
        )
    return problems


def _check_plain(what: str, name: str) -> None:
    if not _PLAIN.fullmatch(name):
        raise InvalidError(_not_plain(what, name))


def _not_plain(what: str, name: str) -> str:
    return (
        f"{what} {name!r} cannot be a file name: it must begin with a letter or digit and hold "
        "only letters, digits, '.', '_' and '-'; rename it."
    )


def _key_of(plate_map: Path) -> str | None:
    with plate_map.open(encoding="utf-8", errors="replace", newline="") as lines:
        first = next(csv.DictReader(lines), None)
    return None if first is None else first.get("dispatch_key")


def _write_flushed(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refusal(error: OSError, where: Path) -> LoopError:
    if error.errno in _FULL:
        return StorageFullError(
            f"No room on the disk to write {str(where)!r}; nothing was written. "
            "Free some space and dispatch again."
        )
    if error.errno in _TAKEN and where.exists():
        return AlreadyExistsError(
            f"{str(where)!r} exists and belongs to another job; move it away and dispatch again."
        )
    why = error.strerror or str(error)
    return LabUnreachableError(f"The lab's folder {str(where)!r} cannot be used: {why}.")
