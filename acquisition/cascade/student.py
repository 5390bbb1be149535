"""A student: a bilinear function of items that mimics what a surrogate makes of candidates.

u(set) ~ level + sum_i own_i + sum_{i<j} f_i' S f_j, S diagonal with 1 and -1. What items are like
is read off their scores with a few landmark sets (a Nystroem sketch of the table of all pairs);
how alike items act together is learned from candidates drawn at random.

Source:
    Williams, Seeger (2001), "Using the Nystroem method to speed up kernel machines", NIPS.
    Hinton, Vinyals, Dean (2015), "Distilling the knowledge in a neural network".
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from acquisition.belief.rater import begun_as
from acquisition.scanning.item_numbers import ItemNumbers
from loop.ports.arrays import Combinations, FloatArray, IntArray

_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_HELD_OUT = 5
_BLOCK = 2_048
_TILE = 2**19
_MOST_COLUMNS = 8_192


@dataclass(frozen=True, slots=True)
class Student:
    """What one section of a space (one context, one order) is worth, by a bilinear function.

    Attributes:
        level: The constant.
        own: What each of U items adds, shape (U + 1,), float64; the last is 0.
        factors: What meets in pairs, shape (U + 1, r); the last row is 0.
        signs: 1 or -1 for each factor, shape (r,).
        r2: The share of the variance of scores it explains among candidates it has not seen.
    """

    level: float
    own: FloatArray
    factors: FloatArray
    signs: FloatArray
    r2: float

    @property
    def rank(self) -> int:
        """The r of the shapes."""
        return len(self.signs)

    def scores(self, numbers: IntArray) -> FloatArray:
        """What it gives N sets of item numbers, shape (N, k), U where a slot is empty."""
        parts = [np.zeros(0)]
        for at in range(0, len(numbers), _BLOCK):
            some = numbers[at : at + _BLOCK]
            _, within = self.sums(some)
            parts.append(self.level + self.own[some].sum(axis=1) + within)
        return np.concatenate(parts)

    def sums(self, numbers: IntArray) -> tuple[FloatArray, FloatArray]:
        """Of N sets: the sum of their factors, (N, r), and what their pairs add, (N,)."""
        held = self.factors[numbers]
        total = held.sum(axis=1)
        pairs = 0.5 * (total**2 - (held**2).sum(axis=1)) @ self.signs
        return total, pairs

    def prefix_side(self, numbers: IntArray) -> FloatArray:
        """What meets an item's factors, own worth and 1, for N sets, shape (N, r + 2)."""
        total, within = self.sums(numbers)
        constant = self.level + self.own[numbers].sum(axis=1) + within
        return np.column_stack([total * self.signs, np.ones(len(numbers)), constant])


def fit_student(table: FloatArray, numbers: IntArray, scores: FloatArray, rank: int) -> Student:
    """Learn from landmarks and from candidates drawn at random.

    Args:
        table: Scores of each item with each of m landmark sets, shape (U, m); NaN where the
            landmark holds the item's perturbagen.
        numbers: Item numbers of n candidates, shape (n, k), U where a slot is empty; in an order
            of no meaning, for the last fifth is held out to choose the penalty.
        scores: Their scores, shape (n,).
        rank: The most factors that it may have.

    Cost:
        O(U m rank + n rank^4 / 4).
    """
    effects, columns = _of_items(table, min(rank, max(table.shape[1] - 1, 1)))
    columns = columns[:, : _affordable(columns.shape[1], len(scores))]
    rows = _Rows(effects, columns)
    kept = len(scores) - len(scores) // _HELD_OUT
    learned = _Moments.of(rows, numbers[:kept], scores[:kept])
    unseen = rows(numbers[kept:]), scores[kept:]
    fits = [learned.solved(penalty) for penalty in _PENALTIES]
    losses = [float(((unseen[0] @ fit - unseen[1]) ** 2).sum()) for fit in fits]
    best = int(np.argmin(losses))
    spread = float(((unseen[1] - unseen[1].mean()) ** 2).sum()) if len(unseen[1]) else 0.0
    r2 = 1.0 - losses[best] / spread if spread > 0 else 0.0
    return _student(rows, learned.solved(_PENALTIES[best]), r2)


class StudentRater:
    """A `Rater` that asks students: a tile is one product of matrices.

    Args:
        students: By context and order.
        numbers: The items.
    """

    def __init__(self, students: Mapping[tuple[int, int], Student], numbers: ItemNumbers) -> None:
        self._students = students
        self._numbers = numbers
        self._items = {key: _item_side(student) for key, student in students.items()}
        self._memory = torch.empty(0, dtype=torch.float32)

    @property
    def rows(self) -> int:
        """As many prefixes as fill a tile of half a million candidates."""
        return max(8, min(512, _TILE // self.columns))

    @property
    def columns(self) -> int:
        """All items, up to 8,192."""
        return max(1, min(len(self._numbers), _MOST_COLUMNS))

    def begin(self, prefixes: Combinations) -> object:
        """The prefixes' side of the product, and the items'."""
        numbers = self._numbers.of(prefixes)
        order = int((prefixes.components[0] >= 0).sum()) + 1
        key = (int(prefixes.contexts[0]), order)
        side = self._students[key].prefix_side(numbers)
        return _Begun(self._items[key], torch.from_numpy(side.astype(np.float32)))

    def rate(self, begun: object, first: int, stop: int) -> tuple[Tensor, None]:
        """Scores, shape (L, R), float32; overwritten by the next call."""
        ours = begun_as(_Begun, begun)
        shape = (stop - first, len(ours.prefixes))
        size = shape[0] * shape[1]
        if len(self._memory) < size:
            self._memory = torch.empty(size, dtype=torch.float32)
        tile = self._memory[:size].view(shape)
        torch.mm(ours.items[first:stop], ours.prefixes.T, out=tile)
        return tile, None

    def twin(self) -> "StudentRater":
        """A rater of the same scores with a buffer of its own; the items' sides are shared."""
        other = copy.copy(self)
        other._memory = torch.empty(0, dtype=torch.float32)
        return other


@dataclass(frozen=True, slots=True)
class _Begun:
    items: Tensor
    prefixes: Tensor


def _item_side(student: Student) -> Tensor:
    own, ones = student.own[:-1, None], np.ones((len(student.own) - 1, 1))
    side = np.concatenate([student.factors[:-1], own, ones], axis=1)
    return torch.from_numpy(side.astype(np.float32))


class _Rows:
    """Columns of a regression for sets of items."""

    def __init__(self, effects: FloatArray, columns: FloatArray) -> None:
        self.effects = np.append(effects, 0.0)
        self.columns = np.concatenate([columns, np.zeros((1, columns.shape[1]))])
        self._pairs = np.triu_indices(columns.shape[1])

    @property
    def rank(self) -> int:
        return int(self.columns.shape[1])

    def __call__(self, numbers: IntArray) -> FloatArray:
        """A constant, effects, columns summed, and products over pairs, for N sets."""
        held = self.columns[numbers]
        total = held.sum(axis=1)
        one, other = self._pairs
        products = total[:, one] * total[:, other]
        for slot in range(numbers.shape[1]):
            products -= held[:, slot, one] * held[:, slot, other]
        effects = self.effects[numbers].sum(axis=1)[:, None]
        return np.concatenate([np.ones_like(effects), effects, total, products], axis=1)

    def matrix(self, products: FloatArray) -> FloatArray:
        """Coefficients of products over ordered pairs, as a symmetric matrix over i < j."""
        matrix = np.zeros((self.rank, self.rank))
        matrix[self._pairs] = products
        matrix += matrix.T.copy()
        return matrix


@dataclass(frozen=True, slots=True)
class _Moments:
    """What a ridge regression needs to know of its rows."""

    square: FloatArray
    product: FloatArray
    count: int

    @classmethod
    def of(cls, rows: _Rows, numbers: IntArray, scores: FloatArray) -> "_Moments":
        width = 2 + rows.rank + rows.rank * (rows.rank + 1) // 2
        square, product = np.zeros((width, width)), np.zeros(width)
        for at in range(0, len(numbers), _BLOCK):
            block = rows(numbers[at : at + _BLOCK])
            square += block.T @ block
            product += block.T @ scores[at : at + _BLOCK]
        return cls(square, product, len(numbers))

    def solved(self, penalty: float) -> FloatArray:
        held = self.square.copy()
        places = np.arange(1, len(held))
        held[places, places] += penalty * max(self.count, 1)
        held[0, 0] += 1e-9
        return np.asarray(np.linalg.solve(held, self.product), dtype=np.float64)


def _of_items(table: FloatArray, rank: int) -> tuple[FloatArray, FloatArray]:
    """What a table of scores says of its U rows: effects (U,), and columns (U, at most rank).

    Effects are means, columns the principal components of what is left of the scores when the
    means of rows and columns are taken off, all of unit mean square.
    """
    there = np.isfinite(table)
    filled = np.where(there, table, 0.0)
    middle = filled.sum() / max(there.sum(), 1)
    by_row = filled.sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    by_landmark = filled.sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    left = np.where(there, table - by_row[:, None] - by_landmark + middle, 0.0)
    values, vectors = np.linalg.eigh(left.T @ left)
    kept = [at for at in range(len(values) - 1, -1, -1) if values[at] > 1e-12 * values[-1]][:rank]
    columns = left @ vectors[:, kept] if values[-1] > 0 else np.zeros((len(table), 0))
    return _unit(by_row - middle), _unit(columns)


def _unit(values: FloatArray) -> FloatArray:
    size = np.sqrt((values**2).mean(axis=0)) if len(values) else np.ones(values.shape[1:])
    answer: FloatArray = values / np.where(size > 0, size, 1.0)
    return answer


def _affordable(rank: int, rows: int) -> int:
    """The most factors for which there are six rows to every coefficient."""
    while rank > 1 and rank * (rank + 3) // 2 + 2 > rows / 6:
        rank -= 1
    return rank


def _student(rows: _Rows, fit: FloatArray, r2: float) -> Student:
    """Rotate the columns so that each meets only itself."""
    rank = rows.rank
    own = fit[1] * rows.effects + rows.columns @ fit[2 : 2 + rank]
    values, vectors = np.linalg.eigh(rows.matrix(fit[2 + rank :]))
    factors = (rows.columns @ vectors) * np.sqrt(np.abs(values))
    return Student(float(fit[0]), own, factors, np.where(values < 0, -1.0, 1.0), r2)
