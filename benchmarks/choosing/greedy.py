"""Ours: the incremental greedy choice, lazy and plain, over a table of draws."""

import time
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from acquisition.choosing.chooser import LazyChooser, PlainChooser
from acquisition.rules.expected_improvement import ImprovementGains, log_improvement
from loop.ports.arrays import FloatArray, IntArray


class _Counted(ImprovementGains):
    """Counts how often a candidate is looked at."""

    looked_at = 0

    def values_at(self, positions: IntArray) -> FloatArray:
        """As always."""
        self.looked_at += len(positions)
        return super().values_at(positions)


@dataclass(frozen=True, slots=True)
class Choice:
    """Rows of the table in the order chosen, what it took, and how many gains were computed.

    `seconds` are the processor's: one thread's on an idle machine, however busy this one is.
    """

    rows: list[int]
    seconds: float
    looked_at: int


def choose(draws: Tensor, best: float, size: int, lazy: bool = True) -> Choice:
    """Choose `size` of N candidates by their draws, shape (S, N)."""
    start = time.process_time()
    gains = _Counted(draws[:, :0], draws, best)
    contest = LazyChooser(gains) if lazy else PlainChooser(gains)
    left, rows = np.ones(draws.shape[1], dtype=np.bool_), list[int]()
    for _ in range(size):
        row, _ = contest.best(left)
        gains.add(row)
        left[row] = False
        rows.append(row)
    return Choice(rows, time.process_time() - start, gains.looked_at)


def shortlist(draws: Tensor, best: float, size: int) -> IntArray:
    """Stage one: the `size` best by marginal improvement, and each draw's `size` / S best."""
    marginal = log_improvement(draws.double(), best).numpy()
    listed = [np.argsort(-marginal)[:size]]
    each = -(-size // len(draws))
    listed.append(draws.topk(each, dim=1).indices.flatten().numpy())
    return np.unique(np.concatenate(listed))


def improvement(draws: Tensor, best: float, rows: list[int]) -> float:
    """The expected improvement of a batch, not smoothed, in the readout's unit."""
    return float((draws[:, rows].double().amax(dim=1) - best).clamp_min(0).mean())
