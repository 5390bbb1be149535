"""What observations of pairs give other pairs, summed up by the T items observed."""

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from loop.ports.arrays import IntArray


class ObservedPairs:
    """From how alike R prefixes are to observed items, (R, T), to what that gives them, (T, F, R).

    A product with one symmetric T x T matrix for each of F functions, with an entry for each
    observed pair: the sum of the weights of the observations that hold it.
    """

    def __init__(self, places: Tensor, weights: Tensor, count: int) -> None:
        """From the items of observations, (n, k), T where empty, and their weights, (n, F)."""
        pairs = _ordered_pairs(places.cpu().numpy(), count)
        self._pairs = [torch.as_tensor(each, device=weights.device) for each in pairs]
        self._weights = weights
        self._count = count
        # On a CPU a sparse product is several times faster than adding rows up.
        self._sparse = self._as_sparse(pairs) if weights.device.type == "cpu" else None

    def __call__(self, likenesses: Tensor) -> Tensor:
        """See the class."""
        rows, functions = len(likenesses), self._weights.shape[1]
        if self._sparse is None:
            return self.added_up(likenesses)
        product = torch.as_tensor(self._sparse @ likenesses.T.contiguous().numpy())
        return product.view(self._count, functions, rows)

    def added_up(self, likenesses: Tensor) -> Tensor:
        """The same without a sparse product, for devices other than CPUs."""
        one, other, observation = self._pairs
        reached = self._weights[observation, :, None] * likenesses.T[other, None]
        summed = likenesses.new_zeros(self._count, self._weights.shape[1], len(likenesses))
        return summed.index_add_(0, one, reached)

    def _as_sparse(self, pairs: IntArray) -> sparse.csr_matrix:
        functions = self._weights.shape[1]
        one, other, observation = pairs
        values = self._weights.numpy()[observation]
        rows = one[:, None] * functions + np.arange(functions)
        columns = np.broadcast_to(other[:, None], rows.shape)
        return sparse.csr_matrix(
            (values.ravel(), (rows.ravel(), columns.ravel())),
            shape=(self._count * functions, self._count),
        )


def _ordered_pairs(places: IntArray, count: int) -> IntArray:
    """Two items and the observation that holds both, each pair both ways, shape (3, E)."""
    slots = range(places.shape[1])
    ends = [
        np.stack([places[:, one], places[:, other], np.arange(len(places))])
        for one in slots
        for other in slots
        if one != other
    ]
    every = np.concatenate([np.zeros((3, 0), dtype=np.int64), *ends], axis=1)
    there: IntArray = every[:, (every[:2] < count).all(axis=0)]
    return there
