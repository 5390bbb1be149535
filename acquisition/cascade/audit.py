"""What share of the best candidates a cut lets through, measured on a random draw of the space."""

import math
from dataclasses import dataclass

import numpy as np

from loop.ports.arrays import BoolArray, FloatArray

_BEST = 1_000
_FEWEST = 20


@dataclass(frozen=True, slots=True)
class Recall:
    """How many of the best of a uniform draw were let through.

    Attributes:
        found: Of the best, those let through.
        best: How many count as the best.
        drawn: How many were drawn.
    """

    found: int
    best: int
    drawn: int

    @property
    def share(self) -> float:
        """The share let through; 1 where nothing was drawn."""
        return self.found / self.best if self.best else 1.0

    @property
    def at_least(self) -> float:
        """The lower end of the share's one-sided 95 % interval.

        Source:
            Clopper, Pearson (1934), "The use of confidence or fiducial limits illustrated in the
            case of the binomial", Biometrika.
        """
        from scipy.stats import beta

        if not self.found:
            return 0.0
        return float(beta.ppf(0.05, self.found, self.best - self.found + 1))

    def __str__(self) -> str:
        """In words that follow "audited"."""
        best = f"the best {self.best:,} of {self.drawn:,} drawn at random"
        return f"recall {_down(self.share)} (at least {_down(self.at_least)}) of {best}"


def best_count(drawn: int) -> int:
    """How many of a draw are the best: a thousandth, but 20 of a small one (at most a tenth)."""
    return max(1, drawn // _BEST, min(_FEWEST, drawn // 10)) if drawn else 0


def recall_of(utilities: FloatArray, passed: BoolArray) -> Recall:
    """The recall of a cut, given a uniform draw: exact utilities and who passed, shape (n,).

    Where several tie for the last places among the best, any of them will do.
    """
    count = best_count(len(utilities))
    if not count:
        return Recall(0, 0, 0)
    last = np.partition(utilities, -count)[-count]
    above, level = utilities > last, utilities == last
    room = count - int(above.sum())
    found = int((above & passed).sum()) + min(room, int((level & passed).sum()))
    return Recall(found, count, len(utilities))


def share_needed(utilities: FloatArray, scores: FloatArray, recall: float) -> float:
    """The share of a uniform draw that a cut must let through to reach a recall, by its scores."""
    count = best_count(len(utilities))
    best = np.argsort(-utilities, kind="stable")[:count]
    wanted = max(1, math.ceil(recall * count))
    cut = np.sort(scores[best])[::-1][wanted - 1]
    return float((scores >= cut).mean())


def _down(share: float) -> str:
    """Three decimals, never rounded up."""
    return f"{math.floor(share * 1000) / 1000:.3f}"
