"""How alike candidates are to what has been chosen."""

import numpy as np

from loop.ports.arrays import Combinations, FloatArray, Representations


class Likeness:
    """The greatest likeness of each of K candidates to anything chosen, from 0 to 1.

    Two perturbations are as alike as the cosine of their summed URs, or where one has none as
    the share of perturbagens that they have in common. Contexts and doses do not count.

    Args:
        representations: URs; None: common perturbagens are all there is to compare.
        candidates: K perturbations.
    """

    def __init__(self, representations: Representations | None, candidates: Combinations) -> None:
        self._representations = representations
        self._candidates = candidates
        self._directions = _directions(representations, candidates)
        self._greatest = np.zeros(len(candidates))

    @property
    def greatest(self) -> FloatArray:
        """Shape (K,)."""
        return self._greatest

    def add(self, chosen: Combinations) -> None:
        """Compare with perturbations that join the batch, O(K (d + k^2)) each."""
        for row, direction in enumerate(_directions(self._representations, chosen)):
            likeness = _shared(self._candidates, chosen[row : row + 1])
            if direction.any():
                known = self._directions.any(axis=1)
                likeness = np.where(known, self._directions @ direction, likeness)
            self._greatest = np.maximum(self._greatest, likeness)


def _directions(representations: Representations | None, some: Combinations) -> FloatArray:
    """Summed URs of length 1, or 0 where nothing is known, shape (N, d)."""
    if representations is None:
        return np.zeros((len(some), 0))
    width = representations.perturbagens.shape[1]
    urs = np.concatenate([representations.perturbagens, np.zeros((1, width))])
    sums = urs[some.components].sum(axis=1)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    directions: FloatArray = sums / np.where(lengths > 0, lengths, 1.0)
    return directions


def _shared(candidates: Combinations, one: Combinations) -> FloatArray:
    """The common perturbagens as a share of the larger perturbation's, shape (N,)."""
    parts = one.components[0][one.components[0] >= 0]
    common = np.isin(candidates.components, parts).sum(axis=1)
    orders = (candidates.components >= 0).sum(axis=1)
    shares: FloatArray = common / np.maximum(np.maximum(orders, len(parts)), 1)
    return shares
