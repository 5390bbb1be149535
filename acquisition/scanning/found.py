"""What a sweep over part of a space has found: plain arrays that merge to one answer."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from acquisition.scanning.top_list import TopList, Utilities
from acquisition.scatter import scattered
from loop.domain.errors import InvalidError
from loop.ports.arrays import IntArray


@dataclass(frozen=True, slots=True)
class Keeping:
    """What a sweep keeps: the `size` best, and the `each` best of every member.

    Equal utilities are told apart by `scattered(address, salt)`. Below `floor` nothing is wanted.
    """

    size: int
    each: int
    salt: int
    floor: float = -np.inf


@dataclass(frozen=True, slots=True)
class Best:
    """Some best candidates, best first: addresses, shape (K,), and utilities, shape (K,)."""

    addresses: IntArray
    utilities: Utilities


@dataclass(frozen=True, slots=True)
class Found:
    """What some blocks of a space hold; small, plain, and ready to be sent or saved.

    Attributes:
        marginal: The best of all.
        by_member: The best of each member, S of them; empty where no favourites were asked for
            (or no block was rated).
        rated: How many candidates were rated, those included that may not be chosen.
        ranges: Which blocks were rated, as sorted disjoint [start, stop) rows, shape (B, 2).
    """

    marginal: Best
    by_member: tuple[Best, ...]
    rated: int
    ranges: IntArray

    @property
    def addresses(self) -> IntArray:
        """Every address in any of the lists, once, ascending."""
        return np.unique(np.concatenate([each.addresses for each in self.lists]))

    @property
    def lists(self) -> tuple[Best, ...]:
        """The marginal list, then those of the members."""
        return (self.marginal, *self.by_member)


class Collector:
    """Best lists that several threads fill, block by block."""

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping
        self._marginal = TopList(keeping.size, keeping.floor)
        self._members: list[TopList] = []
        self._rated = 0
        self._ranges: list[IntArray] = []
        self._lock = threading.Lock()

    def floors(self) -> tuple[float, list[float]]:
        """What the lists ask at least, now: the marginal one, and those of the members."""
        with self._lock:
            return self._marginal.least, [each.least for each in self._members]

    def take(self, found: Found) -> None:
        """Add what was found in blocks that no one has brought before.

        Raises:
            InvalidError: If some of its blocks were brought before.
        """
        with self._lock:
            self._ranges = [_joined([*self._ranges, found.ranges])]
            self._rated += found.rated
            self._offer(self._marginal, found.marginal)
            if not self._members:
                self._members = [TopList(self._keeping.each) for _ in found.by_member]
            for mine, theirs in zip(self._members, found.by_member, strict=bool(found.by_member)):
                self._offer(mine, theirs)

    def _offer(self, mine: TopList, theirs: Best) -> None:
        ties = scattered(theirs.addresses, self._keeping.salt)
        mine.offer(theirs.addresses, theirs.utilities, ties)

    def found(self) -> Found:
        """All that was brought so far."""
        with self._lock:
            members = tuple(Best(*each.best()) for each in self._members)
            marginal, ranges = Best(*self._marginal.best()), _joined(self._ranges)
            return Found(marginal, members, self._rated, ranges)


def merge(parts: Sequence[Found], keeping: Keeping) -> Found:
    """The answer of one sweep over the blocks of all parts, in whatever order these come.

    Raises:
        InvalidError: If two parts rated the same block.
    """
    collector = Collector(keeping)
    for part in parts:
        collector.take(part)
    return collector.found()


def _joined(ranges: Sequence[IntArray]) -> IntArray:
    """Ranges as sorted, disjoint rows, those that touch joined."""
    rows = np.concatenate([np.empty((0, 2), dtype=np.int64), *ranges])
    rows = rows[np.argsort(rows[:, 0], kind="stable")]
    before, after = rows[:-1, 1], rows[1:, 0]
    if (before > after).any():
        block = int(after[before > after][0])
        msg = f"Block {block} was rated twice; merge every part of a scan once."
        raise InvalidError(msg)
    begins = np.concatenate([[True], before != after])[: len(rows)]
    ends = np.concatenate([before != after, [True]])[: len(rows)]
    return np.stack([rows[begins, 0], rows[ends, 1]], axis=1)
