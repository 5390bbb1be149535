"""Rate scattered candidates exactly, in blocks that share their items, and keep the best."""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from acquisition.belief.beliefs import Beliefs
from acquisition.belief.finite import check_utilities
from acquisition.limits.keeper import Keeper
from acquisition.scanning.found import Found, Keeping
from acquisition.scanning.pool import Utility
from acquisition.scanning.top_list import TopList, Utilities
from acquisition.scatter import UIntArray, scattered
from loop.ports.arrays import Combinations, FloatArray, IntArray

_FEWEST_ROWS, _MOST_ROWS = 8_192, 65_536
_TOGETHER = 4_096
"""Perturbagens of each slot that a block should stay within: a surrogate computes what it knows
of each item of a block once, and keeps it in memory meanwhile."""

Count = Callable[[int], None]


class Kept:
    """The best of all that was rated, and each member's best.

    Args:
        keeping: How many.
    """

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping
        self._marginal = TopList(keeping.size)
        self._members: list[TopList] = []

    @property
    def addresses(self) -> IntArray:
        """Every address in any list, once, ascending."""
        lists = [each.addresses for each in (self._marginal, *self._members)]
        return np.unique(np.concatenate(lists))

    def offer(
        self, addresses: IntArray, utilities: FloatArray, favourites: FloatArray | None
    ) -> None:
        """Look at N candidates rated (N,), and (S, N) for members; none ever twice."""
        ties = scattered(addresses, self._keeping.salt)
        self._marginal.offer(addresses, utilities, ties)
        if favourites is not None:
            for mine, each in zip(self._lists(len(favourites)), favourites, strict=True):
                mine.offer(addresses, each, ties)

    def take(self, found: Found, addresses: Callable[[IntArray], IntArray]) -> None:
        """Add what a sweep has found, its addresses translated."""
        lists = [self._marginal, *self._lists(len(found.by_member))]
        for mine, theirs in zip(lists, found.lists, strict=bool(found.by_member)):
            self._add(mine, addresses(theirs.addresses), theirs.utilities)

    def _add(self, mine: TopList, addresses: IntArray, utilities: Utilities) -> None:
        ties: UIntArray = scattered(addresses, self._keeping.salt)
        mine.offer(addresses, utilities, ties)

    def _lists(self, members: int) -> list[TopList]:
        if members and not self._members:
            self._members = [TopList(self._keeping.each) for _ in range(members)]
        return self._members


class ExactRating:
    """Rates candidates by what is believed of them, costs taken off.

    Args:
        beliefs: Who is asked.
        limits: Says what costs are worth.
        utility: Rates each by itself.
        favourites: Rates each for every member; None: there is no use for that.
    """

    def __init__(
        self, beliefs: Beliefs, limits: Keeper, utility: Utility, favourites: Utility | None
    ) -> None:
        self._beliefs = beliefs
        self._limits = limits
        self._utility = utility
        self._favourites = favourites

    def utilities(
        self,
        addresses: IntArray | None,
        combinations: Combinations,
        count: Count,
        kept: Kept | None = None,
    ) -> FloatArray:
        """Utilities of N perturbations, shape (N,); `kept` is offered them if given.

        `addresses` may be None where nothing is kept. `count` is told how many each step rated.

        Raises:
            IncompatibleError: If a prediction or a utility is no finite number.
        """
        answer = np.empty(len(combinations))
        for rows in together(combinations):
            some = combinations[rows]
            rated, favourites = self._block(some, kept is not None)
            answer[rows] = rated
            if kept is not None and addresses is not None:
                kept.offer(addresses[rows], rated, favourites)
            count(len(rows))
        return answer

    @torch.no_grad()
    def _block(
        self, combinations: Combinations, keeps: bool
    ) -> tuple[FloatArray, FloatArray | None]:
        marginals = self._beliefs.marginals(combinations)
        utilities = self._utility(marginals).double().cpu().numpy()
        check_utilities(utilities, combinations)
        charged = self._limits.charged(utilities, combinations)
        if self._favourites is None or not keeps:
            return charged, None
        favourites = self._favourites(marginals).double().cpu().numpy()
        for each in favourites:
            check_utilities(each, combinations)
        return charged, favourites


def together(combinations: Combinations) -> Iterator[IntArray]:
    """The rows of N perturbations in blocks whose rows have many perturbagens in common."""
    grid = combinations.components // _TOGETHER
    order = np.lexsort((*combinations.components.T, *grid.T, combinations.contexts))
    cells = np.column_stack([combinations.contexts, grid])[order]
    borders = np.flatnonzero((cells[1:] != cells[:-1]).any(axis=1)) + 1
    start = 0
    for end in [*borders.tolist(), len(order)]:
        while end - start > _MOST_ROWS:
            yield order[start : start + _MOST_ROWS]
            start += _MOST_ROWS
        if start < end and (end - start >= _FEWEST_ROWS or end == len(order)):
            yield order[start:end]
            start = end
