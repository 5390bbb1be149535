"""Linear regressions as sums over items and pairs (`surrogate.item_form`).

All columns of `surrogate.linear_features` are such sums, so what a function gives an item alone,
less what it gives the control, is what the item adds to every set.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from loop.ports.arrays import Combinations, FloatArray, IntArray
from surrogate.item_form import OwnPairs, Placed, SharedPairs, Turned
from surrogate.linear_features import LinearFeatures
from surrogate.low_rank import signs

_ITEMS = 2_048


@dataclass(frozen=True, slots=True)
class LinearForm:
    """F functions that are linear in columns, and in products of vectors where there are any.

    One readout, in standard units.

    Attributes:
        features: The columns.
        items: U items.
        slots: k.
        weights: Of the columns, shape (D, F).
        vectors: Vectors of perturbagens, shape (P, r, F), that meet in pairs; r may be 0.
        like: A tensor on the device and in the dtype wanted.
    """

    features: LinearFeatures
    items: Combinations
    slots: int
    weights: FloatArray
    vectors: FloatArray
    like: Tensor

    @property
    def functions(self) -> int:
        """F."""
        return int(self.weights.shape[1])

    @property
    def flops(self) -> float:
        """For one perturbation."""
        return 2.0 * self.functions * (self.features.leading + int(self.vectors.shape[1]))

    def leading(self, functions: int) -> "LinearForm":
        """The first of the functions alone."""
        return replace(
            self, weights=self.weights[:, :functions], vectors=self.vectors[:, :, :functions]
        )

    def in_context(self, context: int) -> Placed:
        """The functions in one context."""
        groups = self.features.groups(self.slots)
        orders = self.weights[groups == "order"]
        nothing = self._told(np.full(1, -1), np.full(1, -1), context)
        who, level = self.items.components[:, 0], self.items.levels[:, 0]
        singles = np.zeros((len(who) + 1, self.functions))
        for first in range(0, len(who), _ITEMS):
            part = slice(first, min(first + _ITEMS, len(who)))
            singles[part] = self._told(who[part], level[part], context) - nothing - orders[0]
        constants = nothing + np.concatenate([np.zeros((1, self.functions)), orders])
        return Placed(
            self._tensor(singles),
            self._tensor(constants),
            self._shared(self.weights[groups == "pair"]),
            self._own(),
        )

    def _told(self, who: IntArray, level: IntArray, context: int) -> FloatArray:
        """The functions of single items, shape (N, F)."""
        components = np.full((len(who), self.slots), -1)
        levels = np.full((len(who), self.slots), -1)
        components[:, 0], levels[:, 0] = who, level
        where = np.full(len(who), context)
        return self.features(Combinations(components, levels, where)).times(self.weights)

    def _shared(self, weights: FloatArray) -> tuple[SharedPairs, ...]:
        """The columns of pairs: products of two leading columns of either item."""
        size = self.features.leading
        if not size:
            return ()
        first, second = np.triu_indices(size)
        form = np.zeros((size, size, self.functions))
        form[first, second] += 0.5 * weights
        form[second, first] += 0.5 * weights
        table = self.features.lead(self.items.components[:, 0])
        edged = np.concatenate([table, np.zeros((1, size))])
        return (_Formed(self._tensor(edged), self._tensor(form)),)

    def _own(self) -> tuple[OwnPairs, ...]:
        rank = self.vectors.shape[1]
        if not rank:
            return ()
        table = np.zeros((self.functions, len(self.items) + 1, rank))
        table[:, :-1] = self.vectors[self.items.components[:, 0]].transpose(2, 0, 1)
        return (OwnPairs(self._tensor(table), self._tensor(signs(rank)), 0),)

    def _tensor(self, array: FloatArray) -> Tensor:
        return torch.as_tensor(array).to(self.like)


@dataclass(frozen=True, slots=True)
class _Formed:
    """Pairs by one symmetric matrix a function: `table` (U + 1, K), `forms` (K, K, F)."""

    table: Tensor
    forms: Tensor
    first: int = 0
    places: None = None

    def described(self, places: Tensor) -> Tensor:
        """Rows of the table."""
        return self.table[places]

    def turned(self, described: Tensor) -> Turned:
        """Rows times matrices."""
        return Turned(torch.einsum("rk,klf->lfr", described, self.forms).flatten(1))
