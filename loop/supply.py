"""How much a candidate space still offers of each perturbagen and each group, and how cheaply."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from loop.constraints import costs_of, counts_of_uses, holders
from loop.ports.arrays import BoolArray, Combinations, FloatArray, IntArray
from loop.ports.engine import CandidateSpace, Limits
from loop.space import is_taken

_COUNTED = 2**18
"""Spaces of so many addresses are counted out, in some 50 ms; of larger ones bounds are told."""


@dataclass(frozen=True, slots=True)
class Supply:
    """Bounds from above of what is left to choose from, and from below of what it costs.

    Attributes:
        least_order: The fewest perturbagens in a candidate.
        most_order: The most.
        left: Candidates left.
        holding: Candidates left that hold each perturbagen, shape (P,).
        in_groups: Candidates left that hold a member of each group, shape (G,).
        prices: What each candidate left costs, ascending, shape (left,); empty: not known.
    """

    least_order: int
    most_order: int
    left: int
    holding: IntArray
    in_groups: IntArray
    prices: FloatArray

    def with_fixed(self, fixed: Combinations, limits: Limits) -> "Supply":
        """The same where some perturbations are at hand beside the candidates."""
        orders = (fixed.components >= 0).sum(axis=1).tolist()
        prices = np.sort(np.concatenate([self.prices, costs_of(limits, fixed)]))
        return replace(
            self,
            least_order=min([self.least_order, *orders]),
            most_order=max([self.most_order, *orders]),
            left=self.left + len(fixed),
            holding=self.holding + counts_of_uses(fixed, len(self.holding)),
            in_groups=self.in_groups + _in_groups(limits, fixed),
            prices=prices if self._is_priced else self.prices,
        )

    def without(self, fixed: Combinations, limits: Limits) -> "Supply":
        """What is left once some of it is in the batch."""
        prices = self.prices
        if self._is_priced:
            spent = np.sort(costs_of(limits, fixed))
            # The n-th of several equal prices is the n-th place from the first of them.
            nth = np.arange(len(spent)) - np.searchsorted(spent, spent)
            prices = np.delete(prices, np.searchsorted(prices, spent) + nth)
        return replace(
            self,
            left=self.left - len(fixed),
            holding=self.holding - counts_of_uses(fixed, len(self.holding)),
            in_groups=self.in_groups - _in_groups(limits, fixed),
            prices=prices,
        )

    @property
    def _is_priced(self) -> bool:
        return len(self.prices) == self.left


def _in_groups(limits: Limits, batch: Combinations) -> IntArray:
    held = [int(holders(group, batch).sum()) for group in limits.groups]
    return np.array(held, dtype=np.int64)


def supply_of(
    space: CandidateSpace, orders: Sequence[int], taken: IntArray, limits: Limits
) -> Supply:
    """Count what is left, or bound it where the space is large; O(P) then.

    Args:
        space: What may be chosen.
        orders: The numbers of perturbagens that may act together.
        taken: Sorted addresses that are not on offer.
        limits: Those of a whole batch, `uses` of shape (P,).
    """
    left, perturbagens = space.on_offer() - len(taken), len(limits.uses)
    if len(space) > _COUNTED:
        offered = np.where(_permitted_alone(space, perturbagens), left, 0)
        in_groups = np.full(len(limits.groups), left, dtype=np.int64)
        unknown = np.zeros(0)
        return Supply(min(orders), max(orders), left, offered.astype(np.int64), in_groups, unknown)
    addresses = np.arange(len(space), dtype=np.int64)
    combinations = space.unrank(addresses[~is_taken(taken, addresses)])
    combinations = combinations[space.permitted(combinations)]
    return Supply(
        min(orders),
        max(orders),
        left,
        counts_of_uses(combinations, perturbagens),
        _in_groups(limits, combinations),
        np.sort(costs_of(limits, combinations)),
    )


def _permitted_alone(space: CandidateSpace, perturbagens: int) -> BoolArray:
    alone = np.full((perturbagens, max(space.slots, 1)), -1, dtype=np.int64)
    levels = alone.copy()
    alone[:, 0], levels[:, 0] = np.arange(perturbagens), 0
    return space.permitted(Combinations(alone, levels, np.zeros(perturbagens, dtype=np.int64)))
