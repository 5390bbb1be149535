"""Scores that say how far up a utility lies, so that a student learns the best and not the rest."""

import numpy as np

from loop.ports.arrays import FloatArray


class ExponentialScores:
    """Minus the log of the share of candidates that are better, by a weighted random draw.

    They hang on the order of utilities alone, so whatever rescales or bends these changes
    nothing; among exponential scores the best stand out, and no single one of them rules.

    Args:
        utilities: Of n candidates, shape (n,), n >= 1.
        weights: How many candidates of the space each stands for, shape (n,), positive.
    """

    def __init__(self, utilities: FloatArray, weights: FloatArray) -> None:
        order = np.argsort(utilities, kind="stable")
        self._ordered = utilities[order]
        self._below = np.concatenate([[0.0], np.cumsum(weights[order])])
        self._below /= self._below[-1]
        self._least = 0.5 * float(np.diff(self._below).min())

    def __call__(self, utilities: FloatArray) -> FloatArray:
        """Scores from about 0 to log(2 n), same shape; equal utilities score the same."""
        below = self._below[np.searchsorted(self._ordered, utilities, "left")]
        upto = self._below[np.searchsorted(self._ordered, utilities, "right")]
        above = 1.0 - (below + upto) / 2
        scores: FloatArray = -np.log(np.clip(above, self._least, 1.0))
        return scores
