"""Draws of a Gaussian process as sums over items and pairs (`surrogate.item_form`).

A draw is a prior draw plus what the data change of it, and both are such sums: the set kernel's
parts are sums over the items, or the pairs, of either perturbation. So what n observations give is
summed up by their T distinct items, and no perturbation meets an observation.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from loop.ports.arrays import IntArray
from surrogate.encoding import Items
from surrogate.item_form import Placed, SharedPairs
from surrogate.prior_draws import PriorDraws
from surrogate.set_kernel import Encoded, SetKernel, grams

_ITEMS = 2_048


@dataclass(frozen=True, slots=True)
class ProcessForm:
    """The mean of S draws, then by how much the first S / 2 differ from it.

    The other half differs by as much the other way. One readout, in standard units.

    Attributes:
        kernel: The kernel.
        items: U items.
        observed: n observations, T items.
        variances: Of the kernel's parts, shape (parts,).
        weights: What each function gives each observation's similarity, shape (n, F).
        prior: Prior draws of all readouts.
        readout: Which of them.
        slots: k.
        alike: Items by observed items, as they meet in pairs, shape (U + 1, T); the last row 0.
        crossed: The prior draws' two features that meet in pairs, side by side, (U + 1, 2 x 512).
    """

    kernel: SetKernel
    items: Items
    observed: Encoded
    variances: Tensor
    weights: Tensor
    prior: PriorDraws
    readout: int
    slots: int
    alike: Tensor
    crossed: Tensor

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        kernel: SetKernel,
        items: Items,
        observed: Encoded,
        variances: Tensor,
        updates: Tensor,
        prior: PriorDraws,
        readout: int,
    ) -> "ProcessForm":
        """From the weights of S draws, shape (n, S), in two halves of opposite sign."""
        one, other = updates.tensor_split(2, dim=1)
        mean = (0.5 * (one + other)).mean(dim=1, keepdim=True)
        count, like = len(items), items.features
        alike = like.new_zeros(count + 1, len(observed.items))
        crossed = None
        for place, some in _chunks(items):
            alike[place] = grams(some, observed.items)[2]
            left, right = prior.of_items(some)[2:4]
            if crossed is None:
                crossed = like.new_zeros(count + 1, 2 * left.shape[1])
            crossed[place] = torch.cat([left, right], dim=1)
        return cls(
            kernel,
            items,
            observed,
            variances.to(like),
            torch.cat([mean, 0.5 * (one - other)], dim=1).to(like),
            prior,
            readout,
            observed.rows.places.shape[1],
            alike,
            like.new_zeros(1, 0) if crossed is None else crossed,
        )

    @property
    def functions(self) -> int:
        """F."""
        return self.weights.shape[1]

    @property
    def flops(self) -> float:
        """For one perturbation."""
        functions = self.functions
        return 2.0 * (self.alike.shape[1] * functions + self.crossed.shape[1] * (functions - 1))

    def leading(self, functions: int) -> "ProcessForm":
        """The first of the functions alone."""
        return replace(self, weights=self.weights[:, :functions])

    @torch.no_grad()
    def in_context(self, context: int) -> Placed:
        """The functions in one context."""
        counted = self.kernel.counted(self.variances, context, self.observed.rows.contexts)
        by_ur, by_identity, in_pairs, alone = counted[:, :, None] * self.weights
        half = self.functions - 1
        first, second, third, constant = (
            each[..., :half] for each in self.prior.weights(self.readout, context)
        )
        singles = self.weights.new_zeros(len(self.alike), self.functions)
        by_ur, by_identity = (self._by_item(each) for each in (by_ur, by_identity))
        for place, some in _chunks(self.items):
            like, same, _ = grams(some, self.observed.items)
            features = self.prior.of_items(some)
            singles[place] = like @ by_ur + same @ by_identity
            singles[place, 1:] += features[0] @ first + features[1] @ second
        constants = alone.sum(dim=0)
        constants[1:] += constant
        told = SharedPairs(self.alike, 0, self.functions, self._observed_pairs(in_pairs))
        drawn = SharedPairs(self.crossed, 1, half, _Crossed(third))
        return Placed(
            singles,
            constants.expand(self.slots + 1, -1),
            (told, drawn) if half else (told,),
        )

    def _by_item(self, weights: Tensor) -> Tensor:
        """Weights of observations, (n, F), summed up by item, (T, F)."""
        places = self.observed.rows.places
        rows, slots = torch.nonzero(places < self.alike.shape[1], as_tuple=True)
        summed = weights.new_zeros(self.alike.shape[1], weights.shape[1])
        return summed.index_add_(0, places[rows, slots], weights[rows])

    def _observed_pairs(self, weights: Tensor) -> "_ObservedPairs":
        places = self.observed.rows.places.cpu().numpy()
        count, slots = self.alike.shape[1], places.shape[1]
        ends = [
            np.stack([places[:, one], places[:, other], np.arange(len(places))])
            for one in range(slots)
            for other in range(slots)
            if one != other
        ]
        every = np.concatenate(ends, axis=1) if ends else np.zeros((3, 0), dtype=np.int64)
        kept = every[:, (every[:2] < count).all(axis=0)]
        return _ObservedPairs(kept, weights, count)


class _ObservedPairs:
    """From likenesses to observed items (R, T) to what they give others, (T, F, R).

    Args:
        pairs: Two items and the observation that holds both, each pair both ways, shape (3, E).
        weights: Of the observations, shape (n, F).
        count: T.
    """

    def __init__(self, pairs: IntArray, weights: Tensor, count: int) -> None:
        self._pairs = [torch.as_tensor(each, device=weights.device) for each in pairs]
        self._weights = weights
        self._count = count
        # On a CPU a sparse product is several times faster than adding rows up.
        self._sparse = self._as_sparse(pairs) if weights.device.type == "cpu" else None

    def __call__(self, likenesses: Tensor) -> Tensor:
        rows, functions = len(likenesses), self._weights.shape[1]
        if self._sparse is not None:
            product = torch.as_tensor(self._sparse @ likenesses.T.contiguous().numpy())
            return product.view(self._count, functions, rows)
        one, other, observation = self._pairs
        reached = self._weights[observation, :, None] * likenesses.T[other, None]
        summed = likenesses.new_zeros(self._count, functions, rows)
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


@dataclass(frozen=True, slots=True)
class _Crossed:
    """Two features of an item, (R, 2 x 512), meet the other's, each by a weight of (512, F)."""

    weights: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        left, right = features.T.tensor_split(2, dim=0)
        other = torch.cat([right, left])
        return other[:, None] * torch.cat([self.weights, self.weights])[:, :, None]


def _chunks(items: Items) -> list[tuple[slice, Items]]:
    places = [slice(at, min(at + _ITEMS, len(items))) for at in range(0, len(items), _ITEMS)]
    return [(place, items[place]) for place in places]
