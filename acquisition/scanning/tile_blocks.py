"""A tiled space cut into blocks and tiles, the same ones for whoever looks at it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from loop.ports.arrays import IntArray
from loop.ports.engine import Section, Stripe, TiledSpace


@dataclass(frozen=True, slots=True)
class Tile:
    """Items `first` to `stop - 1` behind the R prefixes of a stripe."""

    stripe: Stripe
    first: int
    stop: int

    @property
    def is_full(self) -> bool:
        """Whether every item makes a candidate behind every prefix."""
        return self.first >= int(self.stripe.starts.max())

    def addresses(self, places: IntArray) -> IntArray:
        """The addresses of some of its (L, R) candidates by their flat places, shape (N,)."""
        items, rows = np.divmod(places, len(self.stripe.starts))
        return self.stripe.addresses[rows] + self.first + items - self.stripe.starts[rows]


class TileBlocks:
    """The canonical blocks of a space: `rows` neighbouring prefixes of a section, all items.

    They are numbered through the sections, and each is cut into tiles of at most `columns`
    items. Both hang on the space, `rows` and `columns` alone, so that whoever rates a block
    rates the same tiles. Memory is in proportion to the number of sections.
    """

    def __init__(self, space: TiledSpace, rows: int, columns: int) -> None:
        self._space = space
        self._rows = rows
        self._columns = columns
        self._items = len(space.items)
        self._sections = space.sections()
        counts = [-(-each.prefixes // rows) for each in self._sections]
        self._begins = np.cumsum([0, *counts], dtype=np.int64)

    def __len__(self) -> int:
        """How many blocks there are."""
        return int(self._begins[-1])

    def tiles(self, block: int) -> Iterator[list[Tile]]:
        """The tiles of a block, those behind the same prefixes together.

        Prefixes are taken together as long as their first items ascend: where the last component
        of a prefix starts again from the left, a common tile would be empty for the most part.
        """
        section, start, stop = self._place(block)
        stripe = self._space.stripe(section, start, stop)
        breaks = (np.flatnonzero(np.diff(stripe.starts) < 0) + 1).tolist()
        for begin, end in zip([0, *breaks], [*breaks, stop - start], strict=True):
            part = _rows_of(stripe, begin, end)
            first = int(part.starts[0])
            if first < self._items:
                cuts = self._cuts(first)
                yield [Tile(part, left, right) for left, right in pairwise(cuts)]

    def _cuts(self, first: int) -> list[int]:
        """Where the items from `first` on are cut: evenly, so that no small tile is left over."""
        left = self._items - first
        parts = -(-left // self._columns)
        return [first + part * left // parts for part in range(parts + 1)]

    def candidates(self, block: int) -> int:
        """How many candidates a block holds."""
        section, start, stop = self._place(block)
        stripe = self._space.stripe(section, start, stop)
        return int((self._items - stripe.starts).sum())

    def candidates_in(self, blocks: range) -> int:
        """How many candidates a range of blocks holds; costs no more for a long one."""
        total = 0
        for at, section in enumerate(self._sections):
            start = max(blocks.start - int(self._begins[at]), 0) * self._rows
            stop = min((blocks.stop - int(self._begins[at])) * self._rows, section.prefixes)
            if start < stop:
                begin = self._space.stripe(section, start, start + 1)
                total += self._end(section, stop) - int(begin.addresses[0])
        return total

    def outside(self, total: int) -> list[range]:
        """The addresses of a space of `total` that no block holds (its controls), as ranges."""
        ends, ranges = 0, []
        for section in self._sections:
            begin = int(self._space.stripe(section, 0, 1).addresses[0])
            ranges.append(range(ends, begin))
            ends = self._end(section, section.prefixes)
        return [each for each in [*ranges, range(ends, total)] if len(each)]

    def _end(self, section: Section, stop: int) -> int:
        """The address behind the last candidate of prefix `stop - 1`."""
        last = self._space.stripe(section, stop - 1, stop)
        return int(last.addresses[0]) + self._items - int(last.starts[0])

    def _place(self, block: int) -> tuple[Section, int, int]:
        at = int(np.searchsorted(self._begins, block, side="right")) - 1
        section = self._sections[at]
        start = (block - int(self._begins[at])) * self._rows
        return section, start, min(start + self._rows, section.prefixes)


def _rows_of(stripe: Stripe, begin: int, end: int) -> Stripe:
    part = slice(begin, end)
    return Stripe(stripe.prefixes[part], stripe.starts[part], stripe.addresses[part])
