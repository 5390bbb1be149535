"""Blocks of an ensemble's tiles: some members, L items, R prefixes, in preallocated memory.

One block is four products, two passes over the hidden layers and a few over states.
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
        self._alter(begun, tables.vectors[:, first:stop], layer, by_item, by_pair)
        told = scratch("told", tables.linear, *flat, readouts)
        self._decode(by_pair, layer, told)
        by_prefix = told.view(group, columns, rows, readouts).permute(3, 0, 1, 2)
        torch.add(by_prefix, tables.centre, out=out)

    def _alter(
        self, begun: Begun, vectors: Tensor, layer: Tensor, by_item: Tensor, by_pair: Tensor
    ) -> None:
        """Add the free path, from (G, L R, w), and the pairwise path to states."""
        by_pair.baddbmm_(layer, self._tables.outer)
        by_item.baddbmm_(vectors, begun.pairs)

    def _decode(self, state: Tensor, layer: Tensor, told: Tensor) -> None:
        """Readouts, (G, L R, R'), from states, (G, L R, s); `layer` is overwritten."""
        tables = self._tables
        torch.bmm(state, tables.inner, out=layer)
        layer.clamp_min_(0.0)
        torch.bmm(state, tables.linear, out=told)
        told.baddbmm_(layer, tables.last)


class HalfBlocks(Blocks):
    """Computes products in bf16, each summed in float32 and rounded, and adds them in float32."""

    def _alter(
        self, begun: Begun, vectors: Tensor, layer: Tensor, by_item: Tensor, by_pair: Tensor
    ) -> None:
        product = self._scratch("product", layer, *by_pair.shape)
        by_pair.add_(torch.bmm(layer, self._tables.outer, out=product))
        product = self._scratch("product", layer, *by_item.shape)
        by_item.add_(torch.bmm(vectors, begun.pairs, out=product))

    def _decode(self, state: Tensor, layer: Tensor, told: Tensor) -> None:
        tables = self._tables
        rounded = self._scratch("product", layer, *state.shape)
        torch.bmm(rounded.copy_(state), tables.inner, out=layer)
        # A negative number is one whatever its bits are taken for, and whole numbers are faster.
        layer.view(torch.int16).clamp_min_(0)
        torch.bmm(state, tables.linear, out=told)
        last = self._scratch("last", layer, *told.shape)
        told.add_(torch.bmm(layer, tables.last, out=last))
