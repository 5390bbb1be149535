"""Draws of a Gaussian process as sums over items and pairs (`surrogate.item_form`).

A draw is a prior draw plus what the data change of it, and both are such sums: the set kernel's
parts are sums over the items, or the pairs, of either perturbation. So what n observations give is
summed up by the T distinct items, and no perturbation meets an observation.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from surrogate.encoding import Items
from surrogate.item_form import Placed, SharedPairs
from surrogate.prior_draws import PriorDraws
from surrogate.process_pairs import AcrossDoses, WithoutDoses
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
        pairs: How items meet in pairs.
    """

    kernel: SetKernel
    items: Items
    observed: Encoded
    variances: Tensor
    weights: Tensor
    prior: PriorDraws
    readout: int
    pairs: AcrossDoses | WithoutDoses

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
        kind = AcrossDoses if prior.doses_vary else WithoutDoses
        like = items.features
        return cls(
            kernel,
            items,
            observed,
            variances.to(like),
            torch.cat([mean, 0.5 * (one - other)], dim=1).to(like),
            prior,
            readout,
            kind.of(items, observed.items, prior),
        )

    @property
    def functions(self) -> int:
        """F."""
        return self.weights.shape[1]

    @property
    def flops(self) -> float:
        """For one perturbation."""
        return self.pairs.flops(self.functions)

    def leading(self, functions: int) -> "ProcessForm":
        """The first of the functions alone."""
        return replace(self, weights=self.weights[:, :functions])

    @torch.no_grad()
    def in_context(self, context: int) -> Placed:
        """The functions in one context."""
        rows = self.observed.rows
        counted = self.kernel.counted(self.variances, context, rows.contexts)
        by_ur, by_identity, in_pairs, alone = counted[:, :, None] * self.weights
        half = self.functions - 1
        first, second, third, constant = (
            each[..., :half] for each in self.prior.weights(self.readout, context)
        )
        by_ur, by_identity = (self._by_item(each) for each in (by_ur, by_identity))
        singles = self.weights.new_zeros(len(self.items) + 1, self.functions)
        for start in range(0, len(self.items), _ITEMS):
            some = self.items[start : start + _ITEMS]
            like, same, _ = grams(some, self.observed.items)
            features = self.prior.of_items(some, slice(2))
            chunk = singles[start : start + len(some)]
            torch.add(like @ by_ur, same @ by_identity, out=chunk)
            chunk[:, 1:] += features[0] @ first + features[1] @ second
        constants = alone.sum(dim=0)
        constants[1:] += constant
        shared: tuple[SharedPairs, ...] = self.pairs.terms(rows.places, in_pairs, self.prior, third)
        return Placed(singles, constants.expand(rows.places.shape[1] + 1, -1), shared)

    def _by_item(self, weights: Tensor) -> Tensor:
        """Weights of observations, (n, F), summed up by item, (T, F)."""
        places, count = self.observed.rows.places, len(self.observed.items)
        rows, slots = torch.nonzero(places < count, as_tuple=True)
        summed = weights.new_zeros(count, weights.shape[1])
        return summed.index_add_(0, places[rows, slots], weights[rows])
