"""Candidates that were rated exactly, each only once."""

import numpy as np

from acquisition.cascade.exact_rating import Count, ExactRating, Kept
from acquisition.limits.offer import Gate, is_in
from loop.ports.arrays import FloatArray, IntArray
from loop.ports.engine import CandidateSpace

_DRAWS = 65_536
_PATIENCE = 64


class Ledger:
    """Rates addresses, offers them to what is kept, and remembers their utilities.

    Args:
        space: What the addresses are of.
        exact: Rates.
        kept: Is offered every candidate once.
    """

    def __init__(self, space: CandidateSpace, exact: ExactRating, kept: Kept) -> None:
        self._space = space
        self._exact = exact
        self._kept = kept
        self.addresses: IntArray = np.zeros(0, dtype=np.int64)
        self._utilities: FloatArray = np.zeros(0)

    def utilities(self, addresses: IntArray, count: Count) -> FloatArray:
        """The utilities of N distinct candidates, shape (N,)."""
        new = addresses[~is_in(addresses, self.addresses)]
        rated = self._exact.utilities(new, self._space.unrank(new), count, self._kept)
        every = np.concatenate([self.addresses, new])
        order = np.argsort(every, kind="stable")
        self._utilities = np.concatenate([self._utilities, rated])[order]
        self.addresses = every[order]
        return self._utilities[np.searchsorted(self.addresses, addresses)]

    def rate(self, addresses: IntArray, count: Count) -> None:
        """Rate N distinct candidates that need not be remembered, for the last time."""
        new = addresses[~is_in(addresses, self.addresses)]
        for at in range(0, len(new), 4 * _DRAWS):
            some = new[at : at + 4 * _DRAWS]
            self._exact.utilities(some, self._space.unrank(some), count, self._kept)


def drawn_from(span: range, gate: Gate, count: int, rng: np.random.Generator) -> IntArray:
    """Distinct addresses drawn uniformly from those of a span that may be chosen.

    As many as `count` in an order of no meaning, or fewer where hardly any may be chosen.
    """
    drawn = np.zeros(0, dtype=np.int64)
    tries = _PATIENCE * count + _DRAWS
    while len(drawn) < count and tries > 0:
        size = min(max(2 * (count - len(drawn)), 1_024), _DRAWS)
        tries -= size
        fresh = rng.integers(span.start, span.stop, size=size)
        both = np.concatenate([drawn, fresh[gate.admits(fresh)]])
        drawn = both[np.sort(np.unique(both, return_index=True)[1])]
    return drawn[:count]
