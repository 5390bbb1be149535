"""Drawing uniformly at random from what is on offer: the audit wells."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from loop.domain.errors import NotEnoughCandidatesError, SpaceTooLargeError
from loop.ports.arrays import BoolArray, IntArray
from loop.ports.engine import CandidateSpace
from loop.space.sharding import shards_of

_SHARD = 262_144
_LISTABLE = 2**30
"""Addresses that may be looked at, by chance or one after another, before a draw is given up."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """Addresses in the order drawn, and each candidate's chance to be among them."""

    addresses: IntArray
    inclusion_probability: float


def is_taken(taken: IntArray, addresses: IntArray) -> BoolArray:
    """Which addresses are among the sorted `taken`, shape (N,); O(N log n)."""
    if not len(taken):
        return np.zeros(len(addresses), dtype=np.bool_)
    places = np.minimum(np.searchsorted(taken, addresses), len(taken) - 1)
    among: BoolArray = taken[places] == addresses
    return among


def draw(space: CandidateSpace, count: int, taken: IntArray, rng: np.random.Generator) -> Drawn:
    """Draw `count` addresses uniformly, without replacement, from what is on offer.

    On offer is what is permitted and not taken. Addresses are drawn from the whole space and
    thrown away where they are not on offer, which is exactly uniform and costs about
    count x (addresses / on offer); where that is more than walking through the whole space once
    (hardly anything is left), positions among what is left are drawn and looked up by that walk.

    Args:
        space: What may be drawn.
        count: How many, at least 0.
        taken: Sorted addresses that are not on offer; repeats do no harm.
        rng: Where chance comes from.

    Raises:
        NotEnoughCandidatesError: If fewer than `count` are on offer.
        SpaceTooLargeError: If so few of so many addresses are on offer that neither way ends.
    """
    taken = np.unique(taken)
    left = space.on_offer() - _permitted_among(space, taken)
    if count > left:
        msg = (
            f"{count} perturbations were to be drawn and {left} are left to choose from "
            f"({len(space)} in the space, {len(space) - space.on_offer()} of them forbidden, "
            f"{len(taken)} measured, pending or chosen); ask for {left} at most."
        )
        raise NotEnoughCandidatesError(msg)
    if count == 0:
        return Drawn(np.zeros(0, dtype=np.int64), 0.0)
    tries = _expected_tries(len(space), left, count)
    if tries <= min(len(space), _LISTABLE):
        addresses = _by_rejection(space, count, taken, rng)
    elif len(space) <= _LISTABLE:
        addresses = _by_walking(space, count, left, taken, rng)
    else:
        msg = (
            f"Only {left} of {len(space)} perturbations are on offer, too few to be found by "
            "chance; list the allowed perturbations in a file instead."
        )
        raise SpaceTooLargeError(msg)
    return Drawn(addresses, count / left)


def _permitted_among(space: CandidateSpace, addresses: IntArray) -> int:
    permitted = 0
    for part in shards_of(len(addresses), _SHARD):
        block = addresses[part.start : part.stop]
        permitted += int(np.count_nonzero(space.permitted(space.unrank(block))))
    return permitted


def _expected_tries(total: int, left: int, count: int) -> float:
    """About how many uniform draws find `count` distinct ones among `left` of `total`."""
    return -total * math.log1p(-count / (left + 0.5))


def _on_offer(space: CandidateSpace, addresses: IntArray, taken: IntArray) -> IntArray:
    free = addresses[~is_taken(taken, addresses)]
    return free[space.permitted(space.unrank(free))]


def _by_rejection(
    space: CandidateSpace, count: int, taken: IntArray, rng: np.random.Generator
) -> IntArray:
    drawn = np.zeros(0, dtype=np.int64)
    size = max(2 * count, 64)
    while len(drawn) < count:
        fresh = rng.integers(0, len(space), size=min(size, _SHARD))
        drawn = np.concatenate([drawn, _on_offer(space, fresh, taken)])
        # Keep the first of each repeat, in the order drawn: later ones found it gone.
        drawn = drawn[np.sort(np.unique(drawn, return_index=True)[1])]
        size *= 2
    return drawn[:count]


def _by_walking(
    space: CandidateSpace, count: int, left: int, taken: IntArray, rng: np.random.Generator
) -> IntArray:
    positions = rng.choice(left, size=count, replace=False)
    order = np.argsort(positions)
    wanted = positions[order]
    found = np.concatenate(list(_looked_up(space, wanted, taken)))
    addresses = np.empty(count, dtype=np.int64)
    addresses[order] = found
    return addresses


def _looked_up(space: CandidateSpace, wanted: IntArray, taken: IntArray) -> Iterator[IntArray]:
    """The addresses at ascending positions among what is on offer, shard by shard."""
    passed = done = 0
    for part in shards_of(len(space), _SHARD):
        offered = _on_offer(space, np.arange(part.start, part.stop), taken)
        upto = int(np.searchsorted(wanted, passed + len(offered)))
        yield offered[wanted[done:upto] - passed]
        passed, done = passed + len(offered), upto
        if done == len(wanted):
            return
