"""Uniform choice: every candidate has the same chance. Loads no torch."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from acquisition.limits.cheapest import provide
from acquisition.limits.keeper import Keeper
from acquisition.limits.offer import Survey, count_left, is_in, shards
from acquisition.limits.ran_out import ran_out
from acquisition.scanning.top_list import TopList
from acquisition.scatter import salt_from, scattered
from acquisition.settings import Number, read_settings
from loop.ports.arrays import Combinations, IntArray
from loop.ports.engine import BatchRequest, Chosen, Progress, silent

_SHARD = 32_768
_PATIENCE = 4


class Uniform:
    """Draw the batch uniformly at random; the reference for all others, and the audit.

    Addresses are drawn and refused if they are taken or forbidden. Where that would take more
    draws than there are addresses (little is left, or limits refuse most), what is left is
    enumerated in random order instead: the distribution is the same, and it always ends.
    """

    settings: ClassVar[Mapping[str, Number]] = {}

    def check(self, settings: Mapping[str, str | int | float | bool]) -> None:
        """Refuse settings that are unknown or out of range."""
        read_settings("random", settings, self.settings)

    def choose(
        self, request: BatchRequest, rng: np.random.Generator, progress: Progress = silent
    ) -> Chosen:
        """Choose at random; scores are 0.

        Cost:
            About q times (addresses / candidates left) draws; at worst one or a few passes over
            the addresses, in memory that does not grow with them.
        """
        read_settings("random", request.settings, self.settings)
        left = count_left(request)
        batch = _Batch(request)
        _provide(request, batch)
        _draw(request, batch, left, rng)
        _enumerate(request, batch, salt_from(rng), progress)
        progress(1.0, "drawing at random")
        reason = f"Drawn uniformly at random from {left:,} candidates."
        return Chosen(batch.addresses, np.zeros(request.size), (reason,) * request.size)


class _Batch:
    """The addresses picked so far, and the room that they leave."""

    def __init__(self, request: BatchRequest) -> None:
        self.limits = Keeper(request.limits, request.size)
        self._size = request.size
        self._picked: dict[int, None] = {}

    @property
    def missing(self) -> int:
        return self._size - len(self._picked)

    @property
    def addresses(self) -> IntArray:
        return np.fromiter(self._picked, dtype=np.int64, count=len(self._picked))

    def take(self, addresses: IntArray, combinations: Combinations) -> None:
        """Take candidates in their order while there is room."""
        for place, address in enumerate(addresses.tolist()):
            if not self.missing:
                return
            one = combinations[place : place + 1]
            if address not in self._picked and self.limits.allowed(one)[0]:
                self._picked[address] = None
                self.limits.count(one)


def _provide(request: BatchRequest, batch: _Batch) -> None:
    """Let the money last: know the cheapest candidates that may still be chosen."""
    budget = batch.limits.budget
    if budget is not None:
        others, excluded = batch.limits.without_budget(), np.union1d(request.taken, batch.addresses)
        provide(request, budget, others, excluded, batch.missing, 0)


def _draw(request: BatchRequest, batch: _Batch, left: int, rng: np.random.Generator) -> None:
    """Draw and refuse, until the batch is full or enumerating would be cheaper."""
    space, total = request.space, len(request.space)
    draws_left = int(min(total, _PATIENCE * (request.size + 16) * total / max(left, 1)))
    while batch.missing and draws_left > 0:
        wanted = int(2 * (batch.missing + 16) * total / left)
        count = min(wanted, draws_left, _SHARD)
        draws_left -= count
        addresses = rng.integers(0, total, size=count)
        addresses = addresses[~is_in(addresses, request.taken)]
        combinations = space.unrank(addresses)
        keep = space.permitted(combinations) & batch.limits.allowed(combinations)
        batch.take(addresses[keep], combinations[keep])


def _enumerate(request: BatchRequest, batch: _Batch, salt: int, progress: Progress) -> None:
    """Fill the batch from all that is left, in random order.

    Raises:
        NotEnoughCandidatesError: If the limits leave too few; the sentence names the limit.
    """
    survey = Survey(len(request.space), len(request.space), salt)
    size = max(4 * batch.missing, 4_096)
    while batch.missing:
        excluded = np.union1d(request.taken, batch.addresses)
        _provide(request, batch)
        some = TopList(size)
        for shard in shards(request, survey, excluded, batch.limits, _SHARD):
            keys = scattered(shard.addresses, salt)
            some.offer(shard.addresses, np.zeros(len(keys)), keys)
            progress(shard.share * 0.99, "drawing at random")
        if not len(some.addresses):
            chosen = request.size - batch.missing
            raise ran_out(request, batch.limits, chosen, excluded, survey)
        batch.take(some.addresses, request.space.unrank(some.addresses))
        size *= 4
