"""Blocks of an ensemble's tiles: some members, L items, R prefixes, in preallocated memory.

One block is five products, two of them small, two passes over the hidden layers and a few over
states.
"""

import torch
from torch import Tensor

from surrogate.ensemble_prefixes import Begun
from surrogate.ensemble_tables import EnsembleTables
from surrogate.scratch import Scratch


class Blocks:
    """Computes blocks of G members, whose tables these are, in the tables' dtype."""

    def __init__(self, tables: EnsembleTables, scratch: Scratch) -> None:
        self._tables = tables
        self._scratch = scratch
        self._pairwise = tables.pairwise.to(tables.hidden.dtype)

    def __call__(self, begun: Begun, first: int, stop: int, out: Tensor) -> None:
        """Fill `out`, shape (R', G, L, R), with what the members say of items `first` to `stop`."""
        tables, scratch = self._tables, self._scratch
        readouts, group, columns, rows = out.shape
        _, s, w = tables.inner.shape
        flat = (group, columns * rows)
        # The same memory under several shapes: items by prefixes, and one after the other.
        effects, hidden = tables.effects, tables.hidden
        own = scratch("own", effects, group, columns, s)
        torch.mul(effects[:, first:stop], begun.gain, out=own)
        state = scratch("state", effects, group, columns, rows, s)
        torch.add(own[:, :, None], begun.offset, out=state)
        layer = scratch("layer", hidden, group, columns, rows, w)
        torch.maximum(hidden[:, first:stop, None], begun.bend, out=layer)
        by_item = scratch("state", effects, group, columns, rows * s)
        by_pair = scratch("state", effects, *flat, s)
        layer = scratch("layer", hidden, *flat, w)
        self._add(layer, tables.outer, by_pair)
        if begun.pairs is not None:
            self._add(tables.vectors[:, first:stop], begun.pairs, by_item)
        if begun.crossed is not None:
            pairs = self._crossed(tables.factors[:, first:stop, None], begun.crossed)
            self._add(pairs.view(*flat, -1), self._pairwise, by_pair)
        told = scratch("told", tables.linear, *flat, readouts)
        self._decode(by_pair, layer, told)
        by_prefix = told.view(group, columns, rows, readouts).permute(3, 0, 1, 2)
        torch.add(by_prefix, tables.centre, out=out)

    def _crossed(self, factors: Tensor, others: Tensor) -> Tensor:
        """Left times right and right times left, (G, L, R, q), of items with prefixes."""
        group, columns, _, both = factors.shape
        left, right = factors.tensor_split(2, dim=3)
        theirs, mine = others.tensor_split(2, dim=3)
        pairs = self._scratch("pairs", factors, group, columns, others.shape[2], both // 2)
        return torch.mul(left, theirs, out=pairs).addcmul_(right, mine)

    def _add(self, one: Tensor, other: Tensor, state: Tensor) -> None:
        """Add a product to states."""
        state.baddbmm_(one, other)

    def _decode(self, state: Tensor, layer: Tensor, told: Tensor) -> None:
        """Readouts, (G, L R, R'), from states, (G, L R, s); `layer` is overwritten."""
        tables = self._tables
        torch.bmm(state, tables.inner, out=layer)
        layer.clamp_min_(0.0)
        torch.bmm(state, tables.linear, out=told)
        told.baddbmm_(layer, tables.last)


class HalfBlocks(Blocks):
    """Computes products in bf16, each summed in float32 and rounded, and adds them in float32."""

    def _add(self, one: Tensor, other: Tensor, state: Tensor) -> None:
        product = self._scratch("product", one, *state.shape)
        state.add_(torch.bmm(one, other, out=product))

    def _decode(self, state: Tensor, layer: Tensor, told: Tensor) -> None:
        tables = self._tables
        rounded = self._scratch("product", layer, *state.shape)
        torch.bmm(rounded.copy_(state), tables.inner, out=layer)
        # A negative number is one whatever its bits are taken for, and whole numbers are faster.
        layer.view(torch.int16).clamp_min_(0)
        torch.bmm(state, tables.linear, out=told)
        last = self._scratch("last", layer, *told.shape)
        told.add_(torch.bmm(layer, tables.last, out=last))
