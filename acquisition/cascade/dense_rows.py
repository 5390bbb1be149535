"""Prefixes behind which so many candidates survive that it is cheaper to rate all, in tiles."""

from dataclasses import dataclass

import numpy as np

from acquisition.cascade.rows_space import AdmittedRows, RowsSpace
from acquisition.limits.offer import Gate
from acquisition.scanning.item_numbers import ItemNumbers
from loop.ports.arrays import BoolArray, IntArray
from loop.ports.engine import CandidateSpace

_DENSE = 0.35
"""The share of a row that must survive: a tile rates two to three candidates in the time that one
takes that is gathered."""


@dataclass(frozen=True, slots=True)
class DenseRows:
    """H sets of one item less than a section's candidates have.

    Attributes:
        items: U.
        codes: A number for each set, ascending, shape (H,).
        sets: Their item numbers, shape (H, r - 1).
    """

    items: int
    codes: IntArray
    sets: IntArray

    @classmethod
    def of(cls, numbers: IntArray, items: int, ratings: int) -> "DenseRows":
        """Those of N surviving candidates, item numbers of shape (N, r).

        The densest, where all together would take more than so many ratings.
        """
        order = numbers.shape[1]
        if items ** (order - 1) >= 2**62 or order < 2:
            return cls(items, np.zeros(0, np.int64), np.zeros((0, max(order - 1, 0)), np.int64))
        found, counts = np.unique(_codes(numbers, items), return_counts=True)
        densest = np.argsort(-counts, kind="stable")[: ratings // items]
        codes = np.sort(found[densest[counts[densest] >= _DENSE * items]])
        left, columns = codes, []
        for _ in range(order - 1):
            left, number = np.divmod(left, items)
            columns.append(number)
        return cls(items, codes, np.stack(columns[::-1], axis=1))

    @classmethod
    def at(cls, sets: IntArray, items: int) -> "DenseRows":
        """Rows of given sets, item numbers of shape (H, r - 1), each once."""
        codes = np.zeros(len(sets), dtype=np.int64)
        for column in np.sort(sets, axis=1).T:
            codes = codes * items + column
        order = np.argsort(codes)
        return cls(items, codes[order], sets[order])

    def __len__(self) -> int:
        """H."""
        return len(self.codes)

    def first(self, numbers: IntArray) -> IntArray:
        """The first row that each of N candidates stands in, H where none, shape (N,)."""
        if not len(self):
            return np.zeros(len(numbers), dtype=np.int64)
        codes = _codes(numbers, self.items)
        places = np.minimum(np.searchsorted(self.codes, codes), len(self) - 1)
        rows = np.where(self.codes[places] == codes, places, len(self))
        first: IntArray = rows.min(axis=1)
        return first

    def candidates(self, numbers: ItemNumbers) -> int:
        """How many sets of different perturbagens stand in the rows, each counted once."""
        count, items = 0, np.arange(self.items)[:, None]
        for row in range(len(self)):
            held = np.broadcast_to(self.sets[row], (self.items, self.sets.shape[1]))
            made = np.concatenate([held, items], axis=1)
            count += int((numbers.are_sets(made) & (self.first(made) == row)).sum())
        return count

    def hold(self, numbers: IntArray) -> BoolArray:
        """Which of N candidates stand in any row, shape (N,)."""
        return self.first(numbers) < len(self)


class AdmittedOnce(AdmittedRows):
    """An exact admission to dense rows that lets a candidate in by the first of its rows only."""

    def __init__(
        self, rows: RowsSpace, space: CandidateSpace, gate: Gate, dense: DenseRows
    ) -> None:
        super().__init__(rows, space, gate, exact=True)
        self._places = rows
        self._dense = dense

    def admits(self, addresses: IntArray) -> BoolArray:
        """Which are candidates that may be chosen and stand in no earlier row, shape (N,)."""
        answer = super().admits(addresses)
        numbers = self._places.candidates(addresses[answer])
        own = addresses[answer] // self._dense.items
        answer[answer] = self._dense.first(numbers) == own
        return answer


def _codes(numbers: IntArray, items: int) -> IntArray:
    """A number for each set that leaves one item of a candidate out, shape (N, r)."""
    ordered = np.sort(numbers, axis=1)
    order = ordered.shape[1]
    codes = np.empty(ordered.shape, dtype=np.int64)
    for without in range(order):
        code = np.zeros(len(ordered), dtype=np.int64)
        for slot in range(order):
            if slot != without:
                code = code * items + ordered[:, slot]
        codes[:, without] = code
    return codes
