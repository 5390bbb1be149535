"""Training that goes on after a kill: what it takes to continue, kept in one file.

The file is safetensors, written whole under another name and then renamed. It counts only for
the very same training (same data, settings, parent, seed, versions: one fingerprint), and what
comes of it then is bit for bit what an undisturbed training would have given.
"""

import contextlib
import dataclasses
import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from surrogate.members import Members
from surrogate.optimiser import BlockAdam

_NAME = "training.safetensors"
_SECONDS = 1.0
_SHARE = 0.02


class Moment:
    """Where a training stands: members, optimiser, steps done, and the order of rows to come."""

    def __init__(self, members: Members, optimiser: BlockAdam, generator: torch.Generator) -> None:
        self._members = members
        self._optimiser = optimiser
        self._generator = generator
        self._order = torch.empty(0, dtype=torch.int64)
        self.step = 0

    def drawn(self, size: int, rows: int) -> Tensor:
        """The next minibatch: `size` of so many rows, each once before any comes again."""
        if len(self._order) < size:
            more = torch.randperm(rows, generator=self._generator)
            self._order = torch.cat([self._order, more])
        drawn, self._order = self._order[:size], self._order[size:]
        return drawn

    def tensors(self) -> dict[str, Tensor]:
        """All that it takes to go on, by name, on the CPU."""
        here = {**self._learned(), "order": self._order, "random": self._generator.get_state()}
        here["step"] = torch.tensor(self.step)
        return {name: each.detach().cpu().contiguous() for name, each in here.items()}

    @torch.no_grad()
    def become(self, tensors: Mapping[str, Tensor]) -> None:
        """The inverse of `tensors`."""
        for name, mine in self._learned().items():
            mine.copy_(tensors[name])
        self._order = tensors["order"]
        self._generator.set_state(tensors["random"])
        self.step = int(tensors["step"])

    def _learned(self) -> dict[str, Tensor]:
        optimiser = self._optimiser
        return {
            **{f"network.{name}": each for name, each in self._members.named_parameters()},
            **{f"first.{place}": each for place, each in enumerate(optimiser.first)},
            **{f"second.{place}": each for place, each in enumerate(optimiser.second)},
        }


class Checkpoint:
    """The file in which one training leaves its moments.

    A moment is kept after one second at the earliest, and so seldom that keeping takes at most 2 %
    of the time. Where the disk refuses, training goes on and `trouble` says why.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._path = folder / _NAME
        self._fingerprint = fingerprint
        self._due = time.monotonic() + _SECONDS
        self.trouble = ""

    def recall(self, moment: Moment) -> bool:
        """Take up the moment on file, if there is one of this very training."""
        try:
            with safe_open(self._path, framework="pt") as file:
                if (file.metadata() or {}).get("fingerprint") != self._fingerprint:
                    return False
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError):
            # No file, or no whole one: then training begins at the beginning, as it would anyhow.
            return False
        moment.become(tensors)
        return True

    def keep(self, moment: Moment) -> None:
        """Write a moment down, if it is time to."""
        begun = time.monotonic()
        if begun < self._due or self.trouble:
            return
        part = self._path.with_name(f"{_NAME}.{os.getpid()}.part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            save_file(moment.tensors(), part, {"fingerprint": self._fingerprint})
            part.replace(self._path)
        except (OSError, SafetensorError) as error:
            _drop(part)
            self.trouble = f" (no checkpoint: {error})"
        now = time.monotonic()
        self._due = now + max(_SECONDS, (now - begun) / _SHARE)

    def remove(self) -> None:
        """Forget everything: the training is done."""
        _drop(self._path)
        for part in self._path.parent.glob(f"{_NAME}.*.part"):
            _drop(part)


def _drop(path: Path) -> None:
    # What cannot be removed does no harm: its fingerprint fits nothing that comes.
    with contextlib.suppress(OSError):
        path.unlink()


def fingerprint(*things: object) -> str:
    """A name for arrays, dataclasses, mappings, sequences and plain values: SHA-256, in hex."""
    digest = hashlib.sha256()
    for each in things:
        _feed(digest, each)
    return digest.hexdigest()


def _feed(digest: "hashlib._Hash", thing: object) -> None:
    if isinstance(thing, np.ndarray):
        digest.update(f"array {thing.dtype.str} {thing.shape} ".encode())
        digest.update(np.ascontiguousarray(thing).tobytes())
    elif dataclasses.is_dataclass(thing):
        for field in dataclasses.fields(thing):
            digest.update(f"field {field.name} ".encode())
            _feed(digest, getattr(thing, field.name))
    elif isinstance(thing, Mapping):
        digest.update(f"mapping {len(thing)} ".encode())
        for name in sorted(thing):
            digest.update(f"key {name!r} ".encode())
            _feed(digest, thing[name])
    elif isinstance(thing, tuple | list):
        digest.update(f"sequence {len(thing)} ".encode())
        for each in thing:
            _feed(digest, each)
    elif thing is None or isinstance(thing, str | int | float | bool):
        digest.update(f"{type(thing).__name__} {thing!r} ".encode())
    else:
        msg = f"no fingerprint of a {type(thing).__name__}"
        raise TypeError(msg)
