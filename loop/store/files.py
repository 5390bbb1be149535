"""Content-addressed files: surrogate states, and the input files of campaigns."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from loop.domain.errors import InvalidError, SnapshotNotFoundError, UnreadableFileError
from loop.ports.arrays import SurrogateState
from loop.store.atomic import PART, disk, make_folder, sync_folder, write_synced, write_whole

FORMAT = 1
"""The layout of a state's file; a file of a higher one is refused."""

_HASH = re.compile(r"[0-9a-f]{64}")
_ENTRY = "pertloop"


class SnapshotFiles:
    """A `StateStore`: one safetensors file a state, named by the SHA-256 of its bytes.

    Arrays stand in the order of their names and the settings in one JSON entry with sorted
    keys, so equal states give equal bytes. Nothing in a file is ever executed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, state: SurrogateState) -> str:
        """Store a state and return its id.

        Raises:
            InvalidError: If an array holds something else than numbers or booleans, or a
                setting something that JSON cannot hold.
            StorageFullError: If the disk is full; nothing is left behind.
            UnavailableError: If the folder cannot be written.
        """
        content = _state_bytes(state)
        state_id = hashlib.sha256(content).hexdigest()
        path = self.path(state_id)
        if _read(path) != content:
            write_whole(path, content)
        return state_id

    def load(self, state_id: str) -> SurrogateState:
        """The state of this id.

        Raises:
            SnapshotNotFoundError: If there is no such file, or its bytes do not match its id.
        """
        if not _HASH.fullmatch(state_id):
            raise SnapshotNotFoundError(f"{state_id!r} is not the full id of a snapshot.")
        content = _read(self.path(state_id))
        if content is None:
            msg = f"Snapshot {state_id} has no file in {str(self._folder)!r}; restore a backup."
            raise SnapshotNotFoundError(msg)
        if hashlib.sha256(content).hexdigest() != state_id:
            msg = (
                f"File {str(self.path(state_id))!r} is damaged: its bytes no longer match its "
                "name; restore a backup, or retrain."
            )
            raise SnapshotNotFoundError(msg)
        return _state_of(content, state_id)

    def path(self, state_id: str) -> Path:
        """Where the file of a state lies."""
        return self._folder / f"{state_id}.safetensors"


def _state_bytes(state: SurrogateState) -> bytes:
    # `save` reads memory as it lies, so arrays are brought into C order first.
    arrays = {name: np.asarray(state.arrays[name], order="C") for name in sorted(state.arrays)}
    try:
        about = json.dumps({"format": FORMAT, "settings": dict(state.settings)}, sort_keys=True)
        return save(arrays, metadata={_ENTRY: about})
    except (SafetensorError, TypeError, ValueError) as error:
        msg = (
            f"The surrogate's state cannot be stored ({error}); a state holds arrays of numbers "
            "or booleans, and settings that JSON can hold."
        )
        raise InvalidError(msg) from error


def _state_of(content: bytes, state_id: str) -> SurrogateState:
    """Read a file whose bytes are known to be those that were written."""
    length = int.from_bytes(content[:8], "little")
    about = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][_ENTRY])
    if about["format"] > FORMAT:
        msg = (
            f"Snapshot {state_id} was written in format {about['format']}, and this Pertloop "
            f"reads up to {FORMAT}; install the newer one that made it."
        )
        raise SnapshotNotFoundError(msg)
    return SurrogateState(load(content), about["settings"])


class InputFiles:
    """An `InputStore`: one folder a group of files, named by a SHA-256 over names and contents."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, files: Mapping[str, bytes]) -> str:
        """Store a group of named files and return its id.

        Raises:
            InvalidError: If a name is not a plain file name.
            StorageFullError: If the disk is full; nothing is left behind.
            UnavailableError: If the folder cannot be written.
        """
        for name in files:
            _check_name(name)
        input_id = _group_hash(files)
        if self._held(input_id) != files:
            self._write(input_id, files)
        return input_id

    def load(self, input_id: str) -> dict[str, bytes]:
        """The files of this id.

        Raises:
            UnreadableFileError: If they are gone or damaged.
        """
        files = self._held(input_id)
        if files is None:
            msg = f"Input files {input_id!r} are gone from {str(self._folder)!r}; restore a backup."
            raise UnreadableFileError(msg)
        if _group_hash(files) != input_id:
            msg = (
                f"Input files in {str(self._folder / input_id)!r} are damaged: their bytes no "
                "longer match their id; restore a backup."
            )
            raise UnreadableFileError(msg)
        return files

    def _held(self, input_id: str) -> dict[str, bytes] | None:
        folder = self._folder / input_id
        if not _HASH.fullmatch(input_id) or not folder.is_dir():
            return None
        with disk(folder):
            return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

    def _write(self, input_id: str, files: Mapping[str, bytes]) -> None:
        make_folder(self._folder)
        with disk(self._folder):
            part = Path(tempfile.mkdtemp(prefix=".", suffix=PART, dir=self._folder))
            try:
                for name, content in files.items():
                    write_synced(part / name, content)
                sync_folder(part)
                self._take_name(part, input_id, files)
            finally:
                shutil.rmtree(part, ignore_errors=True)
            sync_folder(self._folder)

    def _take_name(self, part: Path, input_id: str, files: Mapping[str, bytes]) -> None:
        """Give a finished folder its name; a damaged one that has it makes way."""
        path = self._folder / input_id
        try:
            os.rename(part, path)
        except OSError:
            # A folder of that name is there: somebody stored the same, or it is damaged.
            if self._held(input_id) == files:
                return
            os.rename(path, part / PART)
            os.rename(part, path)
            shutil.rmtree(path / PART)


def _check_name(name: str) -> None:
    if not name or Path(name).name != name or name.startswith(".") or "\x00" in name:
        msg = f"Input file name {name!r} must be a plain name: no folder, no dot in front."
        raise InvalidError(msg)


def _group_hash(files: Mapping[str, bytes]) -> str:
    """The id of a group; lengths are hashed too, so that no two groups read alike."""
    digest = hashlib.sha256()
    for name in sorted(files):
        for part in (name.encode(), files[name]):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
    return digest.hexdigest()


def _read(path: Path) -> bytes | None:
    with disk(path.parent):
        return path.read_bytes() if path.exists() else None
