"""The cheapest candidates on offer, so that a budget lasts to the end of the batch."""

import numpy as np

from acquisition.limits.budget import Budget
from acquisition.limits.keeper import Keeper
from acquisition.limits.offer import Survey, is_in, shards
from loop.domain.errors import NotEnoughCandidatesError
from loop.ports.arrays import Combinations, FloatArray, IntArray
from loop.ports.engine import BatchRequest

_LOOKED_AT = 1_000_000
_SHARD = 65_536


class _Cheapest:
    """The cheapest of a stream of candidates, by address where prices are equal."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.addresses: IntArray = np.empty(0, dtype=np.int64)
        self._prices: FloatArray = np.empty(0)

    def offer(self, addresses: IntArray, prices: FloatArray) -> None:
        self.addresses = np.concatenate([self.addresses, addresses])
        self._prices = np.concatenate([self._prices, prices])
        order = np.lexsort((self.addresses, self._prices))[: self._size]
        self.addresses, self._prices = self.addresses[order], self._prices[order]


def cheapest(
    request: BatchRequest,
    budget: Budget,
    others: Keeper,
    excluded: IntArray,
    size: int,
    salt: int,
    groups_first: bool = True,
) -> Combinations:
    """What `size` candidates would cost the least, or of a large space of a million drawn.

    First as many of each group as it is owed, unless that is not asked for, then the cheapest of
    all. `others` are the limits
    besides the budget; `excluded` are sorted addresses. No surrogate is asked. Cost: about a
    second for a million addresses.
    """
    survey = Survey(len(request.space), _LOOKED_AT, salt)
    every, owing = _Cheapest(size), others.owing() if groups_first else []
    of_groups = [_Cheapest(owed) for _, owed in owing]
    for shard in shards(request, survey, excluded, others, _SHARD):
        prices = budget.prices(shard.combinations)
        every.offer(shard.addresses, prices)
        for (members, _), some in zip(owing, of_groups, strict=True):
            inside = np.append(members, False)[shard.combinations.components].any(axis=1)
            some.offer(shard.addresses[inside], prices[inside])
    due = np.unique(np.concatenate([every.addresses[:0], *(some.addresses for some in of_groups)]))
    due = due[np.argsort(budget.prices(request.space.unrank(due)), kind="stable")]
    rest = every.addresses[~is_in(every.addresses, np.sort(due))]
    return request.space.unrank(np.concatenate([due, rest])[:size])


def provide(
    request: BatchRequest,
    budget: Budget,
    others: Keeper,
    excluded: IntArray,
    missing: int,
    salt: int,
) -> None:
    """Let a budget keep enough for the `missing` choices that remain.

    Raises:
        NotEnoughCandidatesError: If even the cheapest cost more than is left.
    """
    budget.foresee(cheapest(request, budget, others, excluded, missing, salt))
    if not budget.suffices() and len(others.owing()) > 1:
        # One choice may serve several groups, and then they cost less than was foreseen.
        budget.foresee(cheapest(request, budget, others, excluded, missing, salt, False))
    if not budget.suffices():
        msg = f"The batch needs {request.size:,} perturbations{budget.ending()}."
        raise NotEnoughCandidatesError(msg)
