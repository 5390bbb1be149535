"""Surrogates whose belief is decided by the test, to judge the judges."""

from dataclasses import dataclass, field

import numpy as np

from loop.calibration import Calibration
from loop.learn import ForetoldWells, Learned
from loop.ports.arrays import Belief, Combinations, SurrogateState, TrainingSet


def training(values, audit=None, first=1) -> TrainingSet:
    """Singles 0, 1, … with these values; `first` is the smallest identity."""
    numbers = np.asarray(values, dtype=np.float64).reshape(len(values), -1)
    n = len(numbers)
    places = np.arange(n, dtype=np.int64)[:, None]
    return TrainingSet(
        Combinations(places, np.zeros_like(places), np.zeros(n, dtype=np.int64)),
        numbers,
        np.isfinite(numbers).astype(np.int64),
        np.full(numbers.shape, np.nan),
        np.arange(first, first + n, dtype=np.uint64),
        np.ones(n, dtype=np.bool_) if audit is None else np.asarray(audit, dtype=np.bool_),
    )


@dataclass
class Oracle:
    """Believes a mean for each position, with one SD; out of fold it may say something else."""

    mean: np.ndarray
    sd: float = 1.0
    folded: np.ndarray | None = None
    fitted: list[TrainingSet] = field(default_factory=list)
    restored: list[SurrogateState] = field(default_factory=list)

    def fit(self, training, rng, progress=None) -> None:
        self.fitted.append(training)

    def believe(self, combinations) -> Belief:
        return self._belief(self.mean[combinations.components[:, 0]])

    def out_of_fold(self) -> Belief:
        return self._belief(self.mean if self.folded is None else self.folded)

    def _belief(self, mean) -> Belief:
        column = np.asarray(mean, dtype=np.float64)[:, None]
        return Belief(
            column, np.full(column.shape, 0.6 * self.sd), np.full(column.shape, 0.8 * self.sd)
        )

    def state(self) -> SurrogateState:
        return SurrogateState({"mean": self.mean}, {"sd": self.sd})

    def restore(self, state) -> None:
        self.restored.append(state)
        self.mean = np.asarray(state.arrays["mean"])
        self.sd = float(state.settings["sd"])

    def model(self) -> object:
        raise NotImplementedError


def learned(mean, sd=1.0, seen=None, folded=None, calibration=None, foretold=None) -> Learned:
    """A fitted oracle that learned from the identities `seen` (none by default)."""
    mean = np.asarray(mean, dtype=np.float64)
    identities = np.zeros(0, dtype=np.uint64) if seen is None else np.asarray(seen, dtype=np.uint64)
    fold = np.zeros(0) if folded is None else np.asarray(folded, dtype=np.float64)
    return Learned(
        Oracle(mean, sd, fold),
        identities,
        (calibration or Calibration(),),
        foretold or ForetoldWells.none(1),
    )
