"""How much a candidate space still offers of each perturbagen and each group."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loop.constraints import counts_of_uses, holders
from loop.ports.arrays import Combinations, IntArray
from loop.ports.engine import CandidateSpace, Group
from loop.space import is_taken

_COUNTED = 2**18
"""Spaces of so many addresses are counted out, in some 50 ms; of larger ones bounds are told."""


@dataclass(frozen=True, slots=True)
class Supply:
    """Bounds from above of what is left to choose from.

    Attributes:
        least_order: The fewest perturbagens in a candidate.
        most_order: The most.
        left: Candidates left.
        holding: Candidates left that hold each perturbagen, shape (P,).
        in_groups: Candidates left that hold a member of each group, shape (G,).
    """

    least_order: int
    most_order: int
    left: int
    holding: IntArray
    in_groups: IntArray

    def with_fixed(self, fixed: Combinations, groups: Sequence[Group]) -> "Supply":
        """The same where some perturbations are at hand beside the candidates."""
        held = [int(holders(group, fixed).sum()) for group in groups]
        orders = (fixed.components >= 0).sum(axis=1)
        return Supply(
            min([self.least_order, *orders.tolist()]),
            max([self.most_order, *orders.tolist()]),
            self.left + len(fixed),
            self.holding + counts_of_uses(fixed, len(self.holding)),
            self.in_groups + np.array(held, dtype=np.int64),
        )


def supply_of(
    space: CandidateSpace,
    orders: Sequence[int],
    taken: IntArray,
    groups: Sequence[Group],
    perturbagens: int,
) -> Supply:
    """Count what is left, or bound it where the space is large; O(P) then.

    Args:
        space: What may be chosen.
        orders: The numbers of perturbagens that may act together.
        taken: Sorted addresses that are not on offer.
        groups: G groups.
        perturbagens: P.
    """
    left = space.on_offer() - len(taken)
    if len(space) > _COUNTED:
        offered = np.where(_permitted_alone(space, perturbagens), left, 0)
        in_groups = np.full(len(groups), left, dtype=np.int64)
        return Supply(min(orders), max(orders), left, offered.astype(np.int64), in_groups)
    addresses = np.arange(len(space), dtype=np.int64)
    addresses = addresses[~is_taken(taken, addresses)]
    offered_now = space.unrank(addresses)
    offered_now = offered_now[space.permitted(offered_now)]
    return Supply(
        min(orders),
        max(orders),
        left,
        counts_of_uses(offered_now, perturbagens),
        np.array([int(holders(group, offered_now).sum()) for group in groups], dtype=np.int64),
    )


def _permitted_alone(
    space: CandidateSpace, perturbagens: int
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    alone = np.full((perturbagens, max(space.slots, 1)), -1, dtype=np.int64)
    levels = alone.copy()
    alone[:, 0], levels[:, 0] = np.arange(perturbagens), 0
    return space.permitted(Combinations(alone, levels, np.zeros(perturbagens, dtype=np.int64)))
