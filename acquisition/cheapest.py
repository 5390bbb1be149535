"""The cheapest candidates on offer, so that a budget lasts to the end of the batch."""

import numpy as np

from acquisition.budget import Budget
from acquisition.limit import Allows
from acquisition.offer import Survey, shards
from loop.domain.errors import NotEnoughCandidatesError
from loop.ports.arrays import Combinations, FloatArray, IntArray
from loop.ports.engine import BatchRequest

_LOOKED_AT = 1_000_000
_SHARD = 65_536


def cheapest(
    request: BatchRequest,
    budget: Budget,
    others: Allows,
    excluded: IntArray,
    size: int,
    salt: int,
) -> Combinations:
    """The `size` cheapest candidates, or of a large space those of a million drawn at random.

    `others` are limits besides the budget; `excluded` are sorted addresses. No surrogate is
    asked. Cost: about a second for a million addresses.
    """
    survey = Survey(len(request.space), _LOOKED_AT, salt)
    addresses: IntArray = np.empty(0, dtype=np.int64)
    prices: FloatArray = np.empty(0)
    for shard in shards(request, survey, excluded, others, _SHARD):
        addresses = np.concatenate([addresses, shard.addresses])
        prices = np.concatenate([prices, budget.prices(shard.combinations)])
        order = np.lexsort((addresses, prices))[:size]
        addresses, prices = addresses[order], prices[order]
    return request.space.unrank(addresses)


def provide(
    request: BatchRequest,
    budget: Budget,
    others: Allows,
    excluded: IntArray,
    missing: int,
    salt: int,
) -> None:
    """Let a budget keep enough for the `missing` choices that remain.

    Raises:
        NotEnoughCandidatesError: If even the cheapest cost more than is left.
    """
    budget.foresee(cheapest(request, budget, others, excluded, missing, salt))
    if not budget.suffices():
        msg = f"The batch needs {request.size:,} perturbations{budget.ending()}."
        raise NotEnoughCandidatesError(msg)
