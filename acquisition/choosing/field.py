"""The candidates of one pool, and the choice among them."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from acquisition.choosing.chooser import chooser
from acquisition.choosing.contributions import Scale
from acquisition.choosing.gains import Gains, OwingGains, ShrinkingGains
from acquisition.choosing.picks import Picks
from acquisition.choosing.weighing import Weighing
from acquisition.limits.keeper import Keeper
from acquisition.limits.likeness import Likeness
from acquisition.scan import Pool
from acquisition.scanning.sweep import one_thread_in_torch
from loop.ports.arrays import BoolArray, Combinations, FloatArray
from loop.ports.engine import BatchRequest


@dataclass(frozen=True, slots=True)
class Field:
    """Candidates that may be chosen from more than once, as if for the first time.

    Attributes:
        request: Whose batch it is.
        pool: K candidates.
        utilities: Of each, without what its price is worth, shape (K,).
        start: Gives gains that nothing has been added to.
        scale: What gains mean.
        typical: The utility of a typical candidate.
        before: What was chosen already from other pools.
    """

    request: BatchRequest
    pool: Pool
    utilities: FloatArray
    start: Callable[[], Gains]
    scale: Scale
    typical: float
    before: Combinations

    def extend(self, keeper: Keeper, picks: Picks) -> None:
        """Choose greedily until the batch is full or nothing in the pool may join."""
        gains = self.start()
        # A few candidates are looked at at once. MKL shares out even a few thousand logarithms;
        # on a busy machine its threads then wait for each other fifty times as long as that takes.
        with one_thread_in_torch() if isinstance(gains, ShrinkingGains) else nullcontext():
            self._extend(gains, keeper, picks)

    def _extend(self, gains: Gains, keeper: Keeper, picks: Picks) -> None:
        candidates = self.pool.combinations
        likeness = self._likeness()
        contest = chooser(gains, self._weighing(keeper, likeness))
        first = not len(picks)
        left = np.ones(len(candidates), dtype=np.bool_)
        allowed = keeper.allowed(candidates)
        while len(picks) < self.request.size and allowed.any():
            due = _due(gains, allowed)
            picks.out_of_turn += not due.any()
            position, gain = contest.best(due if due.any() else allowed)
            one = candidates[position : position + 1]
            rank = int(self.pool.ranks[position]) if first else 0
            picks.take(int(self.pool.addresses[position]), gain, rank)
            keeper.count(one)
            left[position] = False
            gains.add(position)
            if likeness is not None:
                likeness.add(one)
            allowed = left & keeper.allowed(candidates)

    def passed_over(self, picks: Picks) -> Combinations:
        """Candidates that are not in the batch but rate higher than one that is."""
        chosen = np.isin(self.pool.addresses, picks.array())
        least = self.utilities[chosen].min() if chosen.any() else np.inf
        return self.pool.combinations[~chosen & (self.utilities > least)]

    def _likeness(self) -> Likeness | None:
        if not self.request.limits.diversity:
            return None
        likeness = Likeness(self.request.representations, self.pool.combinations)
        likeness.add(self.before)
        return likeness

    def _weighing(self, keeper: Keeper, likeness: Likeness | None) -> Weighing:
        charges = None
        if keeper.budget is not None and keeper.budget.rate:
            charges = keeper.budget.rate * keeper.budget.prices(self.pool.combinations)
        diversity = self.request.limits.diversity
        return Weighing(self.scale, self.typical, diversity, likeness, charges)


def _due(gains: Gains, allowed: BoolArray) -> BoolArray:
    return allowed & gains.due() if isinstance(gains, OwingGains) else allowed
