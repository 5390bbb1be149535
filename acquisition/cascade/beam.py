"""A beam over orders: what a student would see in a space too large even for it.

The best sets of one item less are found first, by their own worth and what a further item adds to
them, and only these are continued. A set counts as seen if any of its subsets is in the beam.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from acquisition.belief.rater import begun_as
from acquisition.cascade.dense_rows import DenseRows
from acquisition.cascade.rows_space import RowsSpace
from acquisition.cascade.student import Student
from acquisition.limits.keeper import Keeper
from acquisition.scanning.found import Keeping
from acquisition.scanning.item_numbers import ItemNumbers
from acquisition.scanning.sweep import Sweep
from loop.ports.arrays import BoolArray, Combinations, FloatArray, IntArray
from loop.ports.engine import CandidateSpace, Progress, Section

_SPREAD = 2.0
"""How many SDs above the average item the further item is taken to be: it will be a good one."""
_TILE = 2**18
_MOST_COLUMNS = 8_192


@dataclass(frozen=True, slots=True)
class Beam:
    """How to look for the best prefixes of a section.

    Attributes:
        space: The space; asked which sets are permitted.
        items: As `TiledSpace.items`.
        slots: The space's k.
        limits: What else a candidate must keep to.
        width: How many sets of each order are continued.
        salt: Breaks ties.
        threads: How many threads compute.
    """

    space: CandidateSpace
    items: Combinations
    slots: int
    limits: Keeper
    width: int
    salt: int
    threads: int

    def prefixes(self, section: Section, student: Student, progress: Progress) -> DenseRows:
        """The beam behind which the section's candidates are looked for.

        Cost:
            Items x `width` products of the student for each order but the last.
        """
        numbers = ItemNumbers(self.items)
        admitted = AdmittedPrefixes(self.space, numbers, self.limits, section.context, self.slots)
        rows = np.arange(len(numbers), dtype=np.int64)[:, None]
        rows = rows[admitted.sets(rows)]
        for order in range(2, section.order):
            starts = np.zeros(len(rows), dtype=np.int64)
            if order == 2:
                starts = numbers.behind(rows[:, 0])
            view = RowsSpace(self.items, rows, section.context, self.slots, starts)
            rater = ProspectRater(student, numbers, section.order - order)
            keeping = Keeping(self.width, 0, self.salt)
            sweep = Sweep(view, rater, _Admission(admitted, view), keeping, self.threads)
            found = sweep.over(progress=progress).marginal.addresses
            rows = np.unique(np.sort(view.candidates(found), axis=1), axis=0)
        return DenseRows.at(rows, len(numbers))


class AdmittedPrefixes:
    """Which sets may be part of a candidate: of different perturbagens, permitted, with room."""

    def __init__(
        self,
        space: CandidateSpace,
        numbers: ItemNumbers,
        limits: Keeper,
        context: int,
        slots: int,
    ) -> None:
        self._space = space
        self._numbers = numbers
        self._limits = limits
        self._context = context
        self._slots = slots

    def sets(self, rows: IntArray) -> BoolArray:
        """Of N sets of item numbers, shape (N, q), which may be continued, shape (N,)."""
        answer: BoolArray = self._numbers.are_sets(rows)
        made = self._numbers.sets(rows[answer], self._context, self._slots)
        answer[answer] = self._space.permitted(made) & self._limits.may_grow(made)
        return answer


class _Admission:
    """Those prefixes as an `Admission` to a sweep."""

    def __init__(self, admitted: AdmittedPrefixes, view: RowsSpace) -> None:
        self._admitted = admitted
        self._view = view

    def admits(self, addresses: IntArray) -> BoolArray:
        return self._admitted.sets(self._view.candidates(addresses))

    def charged(self, addresses: IntArray, utilities: FloatArray) -> FloatArray:
        return utilities


class ProspectRater:
    """A `Rater` of sets by what they will be worth with some further items.

    That is their own worth, what average items add to it, and two SDs of what an item adds.

    Args:
        student: Says what sets are worth.
        numbers: The items.
        missing: How many further items there will be.
    """

    def __init__(self, student: Student, numbers: ItemNumbers, missing: int) -> None:
        self._student = student
        self._numbers = numbers
        self._missing = missing
        own, factors = student.own[:-1], student.factors[:-1]
        self._mean_own, self._mean = float(own.mean()), factors.mean(axis=0)
        spread = np.cov(np.column_stack([own, factors]), rowvar=False, ddof=0)
        values, vectors = np.linalg.eigh(np.atleast_2d(spread))
        self._root = vectors * np.sqrt(np.maximum(values, 0.0))
        alone = own + missing * (factors @ (self._mean * student.signs))
        side = np.column_stack([factors, alone, np.ones(len(own))])
        turned = (factors * student.signs) @ self._root[1:]
        self._items = _single(side)
        self._turned = _single(
            np.column_stack([2 * turned, (turned**2).sum(axis=1), np.ones(len(own))])
        )

    @property
    def rows(self) -> int:
        """As many prefixes as fill a tile of a quarter of a million sets."""
        return max(8, min(512, _TILE // self.columns))

    @property
    def columns(self) -> int:
        """All items, up to 8,192."""
        return max(1, min(len(self._numbers), _MOST_COLUMNS))

    def begin(self, prefixes: Combinations) -> object:
        """The prefixes' sides of two products."""
        side = self._student.prefix_side(self._numbers.of(prefixes))
        total, ones = side[:, :-2], side[:, -2:-1]
        side[:, -1] += self._missing * (self._mean_own + total @ self._mean)
        turned = np.concatenate([ones, total], axis=1) @ self._root
        size = (turned**2).sum(axis=1, keepdims=True)
        return _Begun(_single(side), _single(np.concatenate([turned, ones, size], axis=1)))

    def rate(self, begun: object, first: int, stop: int) -> tuple[Tensor, None]:
        """Prospects, shape (L, R), float32."""
        ours = begun_as(_Begun, begun)
        spread = (self._turned[first:stop] @ ours.turned.T).clamp_(min=0.0).sqrt_()
        rated: Tensor = torch.addmm(
            spread, self._items[first:stop], ours.side.T, beta=_SPREAD * self._missing
        )
        return rated, None

    def twin(self) -> "ProspectRater":
        """Itself: it has no buffers."""
        return self


@dataclass(frozen=True, slots=True)
class _Begun:
    side: Tensor
    turned: Tensor


def _single(values: FloatArray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
