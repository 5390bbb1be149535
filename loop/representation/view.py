"""One view: vectors by id, and which of them are known."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from loop.domain.errors import UnreadableFileError
from loop.ports.arrays import BoolArray, FloatArray

LARGEST = 1 << 27
"""The most numbers that a file may unpack to (1 GiB)."""


@dataclass(frozen=True, slots=True)
class Matrices:
    """What a reader finds in a file: n ids, and arrays of shape (n, w) by name, NaN where blank."""

    ids: tuple[str, ...]
    views: Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True)
class TableView:
    """One view of n rows.

    Attributes:
        name: What the file calls it, or the file's own name.
        row_of: The row of each id.
        vectors: Shape (n, w), zeros where unknown.
        known: Which rows are known, shape (n,).
        filled: How many blanks in known rows were given their column's mean.
        origin: The file, or `morgan`.
        called: How the file calls ids that it does not call as the library does.
    """

    name: str
    row_of: Mapping[str, int]
    vectors: FloatArray
    known: BoolArray
    filled: int
    origin: str
    called: Mapping[str, str] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """The w of the shapes."""
        return int(self.vectors.shape[1])

    def rows(self, ids: tuple[str, ...]) -> tuple[FloatArray, BoolArray]:
        """Vectors of any N ids, shape (N, w), zeros where unknown; and which are known, (N,)."""
        at = np.array([self.row_of.get(self.called.get(e, e), -1) for e in ids], dtype=np.int64)
        known = (at >= 0) & self.known[at]
        return np.where(known[:, None], self.vectors[at], 0.0), known


def checked(found: Matrices, name: str) -> tuple[TableView, ...]:
    """The views of a file.

    Raises:
        UnreadableFileError: If an id stands twice, a number is infinite, or no row is known.
    """
    if not found.ids:
        msg = f"{name} has no rows; there is nothing to use."
        raise UnreadableFileError(msg)
    if len(set(found.ids)) < len(found.ids):
        twice = Counter(found.ids).most_common(1)[0][0]
        msg = f"{name} lists {twice!r} twice; give every id one row."
        raise UnreadableFileError(msg)
    row_of = {each: row for row, each in enumerate(found.ids)}
    views = tuple(
        _view(view, row_of, np.asarray(array, dtype=np.float64), name)
        for view, array in found.views.items()
    )
    if not any(view.known.any() for view in views):
        msg = f"{name} knows nothing: every row is zeros or NaN."
        raise UnreadableFileError(msg)
    return views


def _view(view: str, row_of: Mapping[str, int], numbers: FloatArray, name: str) -> TableView:
    if np.isinf(numbers).any():
        msg = f"{name}, view {view!r}, holds infinite numbers; write NaN for what is unknown."
        raise UnreadableFileError(msg)
    blank = np.isnan(numbers)
    whole = np.where(blank, 0.0, numbers)
    known = np.asarray(whole.any(axis=1))
    holes = blank & known[:, None]
    filled = int(holes.sum())
    if filled:
        there = known[:, None] & ~blank
        means = (whole * there).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
        whole = np.where(holes, means, whole)
    return TableView(view, row_of, whole, known, filled, name)
