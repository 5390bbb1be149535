"""Doses as numbers that a surrogate can compare: logarithms of amounts."""

from collections.abc import Sequence

import numpy as np

from loop.ports.arrays import FloatArray


def log_doses(levels: Sequence[Sequence[float]]) -> FloatArray:
    """log10 of each level of each perturbagen, shape (P, L), NaN past the last; 0 without doses."""
    table = np.full((len(levels), max(1, *map(len, levels))), np.nan)
    table[:, 0] = 0.0
    for row, amounts in enumerate(levels):
        if amounts:
            table[row, : len(amounts)] = np.log10(amounts)
    return table
