"""One small pair screen that every peer can be told: URs, a few measured pairs, the rest free."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from loop.ports.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Screen:
    """All pairs of P perturbagens, larger being better.

    Attributes:
        pairs: Shape (N, 2).
        columns: Summed URs of each pair, shape (N, d).
        truth: What measuring each would give, shape (N,).
        measured: Rows that have been measured, shape (n,).
    """

    pairs: IntArray
    columns: FloatArray
    truth: FloatArray
    measured: IntArray

    @property
    def left(self) -> IntArray:
        """Rows that have not been measured."""
        return np.setdiff1d(np.arange(len(self.pairs)), self.measured)


def small_screen(perturbagens: int = 46, wells: int = 64, width: int = 8) -> Screen:
    """A screen whose effects are smooth in the URs, with noise, the same each time."""
    rng = np.random.default_rng(7)
    pairs = np.array(list(combinations(range(perturbagens), 2)), dtype=np.int64)
    urs = rng.normal(size=(perturbagens, width))
    columns = urs[pairs].sum(axis=1)
    bent = np.tanh(columns @ rng.normal(size=(width, 4)) / width**0.5) @ rng.normal(size=4)
    truth = bent + 0.1 * rng.normal(size=len(pairs))
    return Screen(pairs, columns, truth, rng.choice(len(pairs), wells, replace=False))
