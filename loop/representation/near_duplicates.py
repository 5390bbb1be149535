"""Pairs of rows that point the same way."""

from dataclasses import dataclass

import numpy as np

from loop.ports.arrays import FloatArray, IntArray

_CHUNK = 512
_FOLDED = 64


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """How many pairs there are, and the first of them as positions, shape (F, 2)."""

    count: int
    first: IntArray


def near_duplicates(rows: FloatArray, cosine: float, most: int) -> NearDuplicates:
    """Find pairs of non-zero rows, shape (N, d), with a cosine above `cosine`; `most` are told.

    No pair is missed. Rows are first folded to 64 columns by an orthogonal projection, which never
    moves two rows apart, and only chunks of rows that are still near are compared whole: 20,000
    rows of 544 columns take seconds, and no more than N x 512 numbers are held at once.
    """
    unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    folded = _fold(unit)
    size = (folded**2).sum(axis=1)
    # For unit rows the squared distance is 2 - 2 cosine; the rest is room for rounding.
    limit = 2.0 - 2.0 * cosine + 1e-5
    count, first = 0, np.zeros((0, 2), dtype=np.int64)
    for start in range(0, len(unit), _CHUNK):
        here = slice(start, start + _CHUNK)
        apart = size[here, None] + size[start:] - 2.0 * folded[here] @ folded[start:].T
        left, right = (np.flatnonzero((apart < limit).any(axis=axis)) for axis in (1, 0))
        found = unit[start + left] @ unit[start + right].T > cosine
        pairs = np.argwhere(found & (left[:, None] < right))
        count += len(pairs)
        if len(first) < most:
            told = np.stack([left[pairs[:, 0]], right[pairs[:, 1]]], axis=1) + start
            first = np.concatenate([first, told])[:most]
    return NearDuplicates(count, first)


def _fold(unit: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> FloatArray:
    """Columns j, j + 64, j + 128, … added up with signs and scaled: an orthogonal projection."""
    d = unit.shape[1]
    if d <= _FOLDED:
        return unit.astype(np.float64)
    # Which signs does not matter for what is found, only for how soon.
    signs = np.random.default_rng(0).choice(np.array([-1.0, 1.0], dtype=np.float32), d)
    folded = [
        (unit[:, at::_FOLDED] @ signs[at::_FOLDED]) / np.sqrt(len(range(at, d, _FOLDED)))
        for at in range(_FOLDED)
    ]
    return np.stack(folded, axis=1).astype(np.float64)
