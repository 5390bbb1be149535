"""BayBE with its default recommender, in an environment of its own (`make bench-peers`)."""

import json
import os
import select
import subprocess
import tempfile
import time
import weakref
from pathlib import Path

import numpy as np

from benchmarks.decisions.peer import Forecast, PeerProblem, RanOutOfTimeError, desire
from benchmarks.decisions.peers.features import of_urs
from loop.domain.errors import IncompatibleError
from loop.ports.arrays import BoolArray, FloatArray, IntArray, TrainingSet

ROOT = Path(__file__).parents[3]
WORKER = Path(__file__).with_name("baybe_worker.py")
_COMPONENTS = 16
_JITTER = 1e-6


def interpreter() -> Path:
    """The Python that has BayBE: `PERTLOOP_PEERS_PYTHON`, or that of `make bench-peers`."""
    return Path(os.environ.get("PERTLOOP_PEERS_PYTHON", ROOT / "build/peers/bin/python"))


class BaybeCampaign:
    """A BayBE campaign over the candidates as a `CustomDiscreteParameter`, maximising one number.

    The columns are those of the BoTorch peer. BayBE refuses two candidates with equal columns, so
    a jitter of 1e-6 SD makes them differ. It fits when it must choose, anew each round: the median
    that two-sided hits are counted from moves. It has until the problem's deadline.
    """

    def __init__(self, problem: PeerProblem) -> None:
        """Start the worker.

        Raises:
            IncompatibleError: If BayBE is not installed.
        """
        if not interpreter().is_file():
            msg = f"BayBE has no environment ({interpreter()}); run 'make bench-peers'"
            raise IncompatibleError(msg)
        self._problem = problem
        self._measured: FloatArray = np.zeros((0, 2))
        folder = tempfile.TemporaryDirectory(prefix="baybe-")
        columns = Path(folder.name) / "columns.npy"
        np.save(columns, _distinct(of_urs(problem, _COMPONENTS).astype(np.float64)))
        self._worker = subprocess.Popen(
            [interpreter(), "-P", WORKER, columns],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._ended = weakref.finalize(self, _end, self._worker, folder)

    def learn(self, measured: TrainingSet, addresses: IntArray, rng: np.random.Generator) -> None:
        """Keep what is to be told at the next choice, which is when BayBE fits."""
        wanted = desire(measured.values[:, 0], self._problem.goal, self._problem.readout)
        self._measured = np.column_stack([addresses, wanted])

    def choose(self, left: BoolArray, size: int, rng: np.random.Generator) -> IntArray:
        """Ask the worker.

        Raises:
            RanOutOfTimeError: If it has not answered at the deadline; it is then ended.
            IncompatibleError: If it stopped with an error of its own.
        """
        asked = {
            "measured": [[int(address), float(value)] for address, value in self._measured],
            "size": size,
            "seed": int(rng.integers(2**31)),
        }
        assert self._worker.stdin is not None
        self._worker.stdin.write(json.dumps(asked).encode() + b"\n")
        self._worker.stdin.flush()
        chosen = json.loads(self._answer())["chosen"]
        return np.array(chosen, dtype=np.int64)

    def forecast(self) -> Forecast | None:
        """It is not asked for predictions."""
        return None

    def _answer(self) -> bytes:
        assert self._worker.stdout is not None
        seconds = self._problem.seconds_left()
        waited = None if seconds == float("inf") else max(seconds, 0.0)
        start = time.monotonic()
        ready, _, _ = select.select([self._worker.stdout], [], [], waited)
        if not ready:
            self._ended()
            msg = f"BayBE had not chosen {time.monotonic() - start:.0f} s after it was asked"
            raise RanOutOfTimeError(msg)
        line = self._worker.stdout.readline()
        if not line:
            msg = f"BayBE stopped with exit code {self._worker.wait()}"
            raise IncompatibleError(msg)
        return line


def _distinct(columns: FloatArray) -> FloatArray:
    """The columns that vary, no two rows alike."""
    varying = columns[:, columns.std(axis=0) > 0]
    jitter = np.random.default_rng(0).normal(size=varying.shape)
    moved: FloatArray = varying + _JITTER * varying.std(axis=0) * jitter
    return moved


def _end(worker: "subprocess.Popen[bytes]", folder: "tempfile.TemporaryDirectory[str]") -> None:
    worker.kill()
    worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        if pipe is not None:
            pipe.close()
    folder.cleanup()
