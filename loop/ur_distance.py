"""How far apart the URs of two perturbagens are, over the views that know both."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from loop.ports.arrays import BoolArray, FloatArray, IntArray, Representations, View

_CHUNK = 1_024
_Floats = npt.NDArray[np.float32]


class UrDistance:
    """Root mean square distance over the views that know both perturbagens.

    Every view is centred and divided by the root mean square length of its rows, so units and
    widths of views do not matter: unlike perturbagens are about 1.4 apart, the same ones 0.
    Building it costs O(P d); it holds a float32 copy of the URs.
    """

    def __init__(self, representations: Representations) -> None:
        """Bring all views to one scale."""
        vectors = representations.perturbagens
        whole = View("all", vectors.shape[1], representations.known)
        views = representations.views or (whole,)
        blocks, first = [], 0
        for view in views:
            blocks.append(_scaled(vectors[:, first : first + view.width], view.known))
            first += view.width
        self._vectors: _Floats = np.concatenate(blocks, axis=1)
        self._known = np.stack([view.known for view in views], axis=1).astype(np.float32)
        self._squares = np.stack([np.square(each).sum(axis=1) for each in blocks], axis=1)

    @property
    def known(self) -> BoolArray:
        """Which perturbagens any view knows, shape (P,); nobody where there are no URs."""
        if not self._vectors.shape[1]:
            return np.zeros(len(self._vectors), dtype=np.bool_)
        return np.asarray(self._known.any(axis=1))

    def between(self, left: IntArray, right: IntArray) -> _Floats:
        """Distances of some perturbagens to others, shape (a, b); inf where no view knows both.

        One matrix product, O(a b d); the same perturbagen is at 0, known or not.
        """
        shared = self._known[left] @ self._known[right].T
        lengths = self._squares[left] @ self._known[right].T
        lengths += self._known[left] @ self._squares[right].T
        square = lengths - 2 * self._vectors[left] @ self._vectors[right].T
        there = (shared > 0) if self._vectors.shape[1] else np.zeros_like(shared, dtype=np.bool_)
        mean = np.where(there, np.maximum(square, 0) / np.maximum(shared, 1), np.inf)
        mean[left[:, None] == right[None, :]] = 0
        return np.sqrt(mean).astype(np.float32)

    def to_nearest(self, asked: IntArray, others: IntArray) -> FloatArray:
        """The distance of each to the nearest other than itself, shape (a,); inf where none is.

        In chunks: memory is O(1,024 b).
        """
        nearest = np.full(len(asked), np.inf)
        if not len(others):
            return nearest
        for rows in _chunks(len(asked)):
            apart = self.between(asked[rows], others)
            apart[asked[rows][:, None] == others[None, :]] = np.inf
            nearest[rows] = apart.min(axis=1)
        return nearest


def _chunks(count: int) -> Iterator[slice]:
    for start in range(0, count, _CHUNK):
        yield slice(start, start + _CHUNK)


def _scaled(vectors: FloatArray, known: BoolArray) -> _Floats:
    """One view, centred, its known rows of mean square length 1, zeros where unknown."""
    if not known.any():
        return np.zeros(vectors.shape, dtype=np.float32)
    centred = np.where(known[:, None], vectors - vectors[known].mean(axis=0), 0.0)
    size = float(np.sqrt(np.square(centred[known]).sum(axis=1).mean()))
    return np.asarray(centred / size if size > 0 else centred, dtype=np.float32)
