"""A long scan that goes on after a kill: what it has found so far, kept in one file."""

import contextlib
import os
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from acquisition.scanning.found import Best, Collector, Found

_SHARE = 0.02
"""At most this share of the time goes into keeping."""


class Checkpoint:
    """Where one scan leaves what it has found; each range of blocks has a file of its own.

    The file is written whole under another name and then renamed, so that a kill at any moment
    leaves the old one or the new one. It counts only for the very same question, and the answer
    is then that of an undisturbed scan, to the last bit. Where the disk refuses, the scan goes on
    and `trouble` says why.

    Args:
        folder: Made where it is missing.
        fingerprint: Names everything that the answer hangs on besides the range of blocks.
        seconds: How long a scan must have run before it leaves anything; 0: it leaves something
            after every block.
    """

    def __init__(self, folder: Path, fingerprint: str, seconds: float = 20.0) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self._seconds = seconds
        self._due = time.monotonic() + seconds
        self.trouble = ""

    def recall(self, blocks: range) -> Found | None:
        """What was found of these blocks before, if anything was kept of this very scan."""
        try:
            with self._path(blocks).open("rb") as file, np.load(file) as arrays:
                if str(arrays["fingerprint"]) != self._fingerprint:
                    return None
                return _found({name: arrays[name] for name in arrays.files})
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
            # No file, or no whole one: then the scan begins at the beginning, as it would anyhow.
            return None

    def keep(self, blocks: range, collector: Collector) -> None:
        """Write down what was found, if it is time to."""
        begun = time.monotonic()
        if begun < self._due or self.trouble:
            return
        path = self._path(blocks)
        part = path.with_name(f"{path.stem}.{os.getpid()}.part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as file:
                np.savez(file, fingerprint=self._fingerprint, **_arrays(collector.found()))
            part.replace(path)
        except OSError as error:
            _drop(part)
            self.trouble = (
                f"The scan left no checkpoint ({error}); had it been killed, it would have begun "
                "anew."
            )
        now = time.monotonic()
        self._due = now + (self._seconds and max(self._seconds, (now - begun) / _SHARE))

    def remove(self, blocks: range) -> None:
        """Forget these blocks: they are done."""
        _drop(self._path(blocks))

    def _path(self, blocks: range) -> Path:
        return self._folder / f"scan-{self._fingerprint[:16]}-{blocks.start}-{blocks.stop}.npz"


def _drop(path: Path) -> None:
    # What cannot be removed does no harm: it counts for nothing but the same question.
    with contextlib.suppress(OSError):
        path.unlink()


def _arrays(found: Found) -> dict[str, Any]:
    lists = found.lists
    return {
        "lengths": np.array([len(each.addresses) for each in lists]),
        "addresses": np.concatenate([each.addresses for each in lists]),
        "utilities": np.concatenate([each.utilities for each in lists]),
        "rated": np.array(found.rated),
        "ranges": found.ranges,
    }


def _found(arrays: Mapping[str, Any]) -> Found:
    ends = np.cumsum(arrays["lengths"])[:-1]
    addresses = np.split(arrays["addresses"].astype(np.int64), ends)
    utilities = np.split(arrays["utilities"].astype(np.float32), ends)
    marginal, *members = map(Best, addresses, utilities)
    rated, ranges = int(arrays["rated"]), arrays["ranges"].astype(np.int64)
    return Found(marginal, tuple(members), rated, ranges)
