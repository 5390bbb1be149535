"""Hits of both tails: the likeliest, as long as each tail gets its due."""

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from acquisition.belief.marginals import Marginals
from acquisition.choosing.rule import Rule
from loop.domain.goal import Readout
from loop.ports.arrays import BoolArray, FloatArray
from loop.ports.engine import BatchRequest


def balanced(rule: Rule, request: BatchRequest, owed: int) -> Rule:
    """A rule for hits that gives each tail `owed` choices, and lists the best of each tail."""
    readout, pending, size = request.readout, len(request.pending), request.size

    def favourites(asked: tuple[Marginals, ...]) -> Tensor:
        low = asked[0].chance_past(readout.low, math.inf)
        high = asked[0].chance_past(-math.inf, readout.high)
        return torch.stack([(low + high) * (high <= low), (low + high) * (high > low)])

    def joint(noise_sd: float, before: Tensor, pool: Tensor) -> TailGains:
        chosen, candidates = (
            tail_chances(draws[..., 0], readout, noise_sd) for draws in (before[:, pending:], pool)
        )
        return TailGains(chosen, candidates, owed, size)

    return replace(rule, favourites=favourites, joint=joint, mixes=False)


def tail_chances(values: Tensor, readout: Readout, noise_sd: float) -> Tensor:
    """P(a measurement <= low) and P(it >= high); draws of shape (S, K) give (2, K)."""
    # Where nothing is uncertain the normal becomes a step.
    sd = max(noise_sd, 1e-12)
    below = torch.special.ndtr((readout.low - values) / sd)
    above = torch.special.ndtr((values - readout.high) / sd)
    return torch.stack([below.mean(dim=0), above.mean(dim=0)])


def owed_to_each(readout: Readout, share: float, size: int) -> int:
    """How many choices of `size` each tail is owed: `share` of half; 0 if only one counts."""
    if not (math.isfinite(readout.low) and math.isfinite(readout.high)):
        return 0
    return math.floor(share * size / 2 + 1e-9)


class TailGains:
    """The chance of a hit, as long as enough choices remain for what each tail is still owed.

    A candidate belongs to the tail that it is likelier in. Once no more choices remain than the
    tails are owed, candidates of a tail that is owed nothing are not due: they are chosen only
    where nobody else is left. Chances do not depend on each other,
    so no batch that gives the tails their due has more hits to be expected.

    Args:
        before: Chances of what is chosen already, shape (2, C).
        pool: Chances of the K candidates, the low tail first, shape (2, K).
        owed: What each tail is owed of the whole batch.
        size: q.
    """

    def __init__(self, before: Tensor, pool: Tensor, owed: int, size: int) -> None:
        self._chances: FloatArray = pool.sum(dim=0).numpy()
        self._is_high: BoolArray = (pool[1] > pool[0]).numpy()
        chosen: BoolArray = (before[1] > before[0]).numpy()
        high = int(chosen.sum())
        self._owed = [max(owed - (len(chosen) - high), 0), max(owed - high, 0)]
        self._remaining = size - len(chosen)

    def values(self) -> FloatArray:
        """The chances, shape (K,)."""
        return self._chances

    def due(self) -> BoolArray:
        """Who may be chosen without another tail going short, shape (K,)."""
        if sum(self._owed) < self._remaining:
            return np.ones(len(self._chances), dtype=np.bool_)
        return np.where(self._is_high, self._owed[1] > 0, self._owed[0] > 0)

    def add(self, position: int) -> None:
        """Give a tail its choice."""
        tail = int(self._is_high[position])
        self._owed[tail] = max(self._owed[tail] - 1, 0)
        self._remaining -= 1
