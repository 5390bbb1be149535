"""The candidates that stage two chooses from, and the lists that they come from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from acquisition.belief.beliefs import Beliefs
from acquisition.belief.finite import check_utilities
from acquisition.belief.marginals import Marginals
from acquisition.limits.keeper import Keeper
from acquisition.limits.offer import Shard
from acquisition.scanning.top_list import TopList
from acquisition.scatter import UIntArray, scattered
from loop.ports.arrays import Combinations, FloatArray, IntArray
from loop.ports.engine import BatchRequest, Progress

Utility = Callable[[tuple[Marginals, ...]], Tensor]
"""Rates N candidates by the beliefs about the readouts asked for; see `Scan`."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a scan is asked.

    Attributes:
        request: The space and all that belongs to it.
        beliefs: About its candidates.
        excluded: Sorted addresses that are left out.
        limits: What else a candidate must keep to, and what it costs.
        size: How many of the best are wanted.
    """

    request: BatchRequest
    beliefs: Beliefs
    excluded: IntArray
    limits: Keeper
    size: int


@dataclass(frozen=True, slots=True)
class Pool:
    """The K candidates that stage two chooses from, best first.

    Attributes:
        addresses: Shape (K,).
        combinations: K perturbations.
        utilities: Their marginal utilities, shape (K,), less what `Keeper.charged` takes off.
        ranks: Their ranks among all that were scanned, from 1, shape (K,); 0 for one that is
            only a favourite of a member.
        scanned: How many candidates on offer were looked at, though limits may have left no room
            for some; all that are, unless the space was only surveyed.
        notes: Sentences about the scan, such as what a lower precision made of it.
    """

    addresses: IntArray
    combinations: Combinations
    utilities: FloatArray
    ranks: IntArray
    scanned: int
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        """The K of the shapes."""
        return len(self.addresses)


class PoolLists:
    """The best of the candidates that are looked at one by one, and each member's best.

    Args:
        ask: Who is believed, and how many are wanted.
        salt: Breaks ties.
        utility: Rates candidates.
        favourites: Rates them for every member; None: only the marginal list is kept.
    """

    def __init__(
        self, ask: Question, salt: int, utility: Utility, favourites: Utility | None
    ) -> None:
        self._ask = ask
        self._salt = salt
        self._utility = utility
        self._favourites = favourites
        self._marginal = TopList(ask.size)
        self._by_member: list[TopList] = []
        self._rated_so_far = self._on_offer = 0

    def look_at(self, shards: Iterable[Shard], progress: Progress) -> None:
        """Rate the candidates of some shards, no address ever twice.

        Raises:
            IncompatibleError: If a prediction or a utility is no finite number.
        """
        for shard in shards:
            self._on_offer += shard.on_offer
            if len(shard.addresses):
                self._rated_so_far += len(shard.addresses)
                marginals = self._ask.beliefs.marginals(shard.combinations)
                ties = scattered(shard.addresses, self._salt)
                rated = self._rated(marginals, shard.combinations)
                self._marginal.offer(shard.addresses, rated, ties)
                self._offer_favourites(shard, marginals, ties)
            progress(shard.share, f"rated {self._rated_so_far:,} candidates")

    def _rated(self, marginals: tuple[Marginals, ...], combinations: Combinations) -> FloatArray:
        utilities = _numbers(self._utility(marginals))
        check_utilities(utilities, combinations)
        return self._ask.limits.charged(utilities, combinations)

    def _offer_favourites(
        self, shard: Shard, marginals: tuple[Marginals, ...], ties: UIntArray
    ) -> None:
        if self._favourites is None:
            return
        rated = _numbers(self._favourites(marginals))
        if not self._by_member:
            each = -(-self._ask.size // len(rated))
            self._by_member = [TopList(each) for _ in range(len(rated))]
        for mine, utilities in zip(self._by_member, rated, strict=True):
            check_utilities(utilities, shard.combinations)
            mine.offer(shard.addresses, utilities, ties)

    def pool(self) -> Pool:
        """All that stand in any list; those in the members' lists only are rated once more."""
        listed, utilities = self._marginal.best()
        others = [each.addresses for each in self._by_member]
        extra = np.setdiff1d(np.concatenate([listed, *others]), listed)
        addresses = np.concatenate([listed, extra])
        combinations = self._ask.request.space.unrank(addresses)
        rated = utilities.astype(np.float64)
        if len(extra):
            rest = combinations[len(listed) :]
            rated = np.concatenate([rated, self._rated(self._ask.beliefs.marginals(rest), rest)])
        ranks = np.concatenate([np.arange(1, len(listed) + 1), np.zeros(len(extra), np.int64)])
        order = np.lexsort((scattered(addresses, self._salt), -rated.astype(np.float32)))
        return Pool(
            addresses[order], combinations[order], rated[order], ranks[order], self._on_offer
        )


def _numbers(tensor: Tensor) -> FloatArray:
    numbers: FloatArray = tensor.double().cpu().numpy()
    return numbers
