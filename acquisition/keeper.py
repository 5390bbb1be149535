"""Keeps a batch to all of its limits, while it grows."""

import numpy as np

from acquisition.limit import Limit
from acquisition.use_limits import UseLimits
from loop.ports.arrays import BoolArray, Combinations, FloatArray
from loop.ports.engine import Limits


class Keeper:
    """All limits of one batch, counting as it grows. Loads no torch.

    Args:
        limits: What the batch must keep to; never changed.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits: list[Limit] = []
        if limits.max_uses:
            self._limits.append(UseLimits(limits.max_uses, limits.uses))

    def allowed(self, combinations: Combinations) -> BoolArray:
        """Which perturbations may be chosen next, shape (N,)."""
        answer = np.ones(len(combinations), dtype=np.bool_)
        for limit in self._limits:
            answer &= limit.allowed(combinations)
        return answer

    def count(self, combination: Combinations) -> None:
        """Remember one perturbation (N = 1) that joins the batch."""
        for limit in self._limits:
            limit.count(combination)

    def charged(self, utilities: FloatArray, combinations: Combinations) -> FloatArray:
        """Utilities less what their candidates' costs are worth, shape (N,).

        Never more than what is given, and the very same array as long as money is no matter.
        """
        return utilities
