"""Blocks of an ensemble's tiles: some members, L items, R prefixes, in preallocated memory.

One block is four products, two passes over the hidden layers and a few over states.
"""

import math

import torch
from torch import Tensor

from surrogate.ensemble_prefixes import Begun
from surrogate.ensemble_tables import EnsembleTables


class Blocks:
    """Computes blocks in the dtype of the tables."""

    def __init__(self, tables: EnsembleTables) -> None:
        self._tables = tables
        self._memory: dict[str, Tensor] = {}

    def __call__(self, begun: Begun, part: slice, first: int, stop: int, out: Tensor) -> None:
        """Fill `out`, shape (R', G, L, R), with what G members say of items `first` to `stop`."""
        tables = self._tables
        readouts, group, columns, rows = out.shape
        _, s, w = tables.inner.shape
        flat = (group, columns * rows)
        state = self._state(begun, part, first, stop, (group, columns, rows, s))
        hidden = self._hidden(begun, part, first, stop, (group, columns, rows, w))
        told = self._space("told", tables.linear, *flat, readouts)
        self._altered(
            begun, part, first, stop, state.view(group, columns, -1), hidden.view(*flat, w)
        )
        self._decoded(part, state.view(*flat, s), hidden.view(*flat, w), told)
        by_prefix = told.view(group, columns, rows, readouts).permute(3, 0, 1, 2)
        torch.add(by_prefix, tables.centre[:, part], out=out)

    def _state(
        self, begun: Begun, part: slice, first: int, stop: int, shape: tuple[int, ...]
    ) -> Tensor:
        """Effects, and what prefixes made of the context, (G, L, R, s)."""
        effects = self._tables.effects
        own = self._space("effect", effects, shape[0], shape[1], shape[3])
        torch.mul(effects[part, first:stop], begun.gain[part], out=own)
        state = self._space("state", effects, *shape)
        return torch.add(own[:, :, None], begun.offset[part], out=state)

    def _hidden(
        self, begun: Begun, part: slice, first: int, stop: int, shape: tuple[int, ...]
    ) -> Tensor:
        """The hidden layer less a constant of each prefix, (G, L, R, w)."""
        items = self._tables.hidden
        hidden = self._space("hidden", items, *shape)
        return torch.maximum(items[part, first:stop, None], begun.bend[part], out=hidden)

    def _altered(
        self, begun: Begun, part: slice, first: int, stop: int, state: Tensor, hidden: Tensor
    ) -> None:
        """Add the free path, from (G, L R, w), and the pairwise path to states, (G, L, R s)."""
        tables = self._tables
        by_pair = state.view(*hidden.shape[:2], -1)
        by_pair.baddbmm_(hidden, tables.outer[part])
        state.baddbmm_(tables.vectors[part, first:stop], begun.pairs[part])

    def _decoded(self, part: slice, state: Tensor, hidden: Tensor, told: Tensor) -> None:
        """Readouts, (G, L R, R'), from states, (G, L R, s); `hidden` is overwritten."""
        tables = self._tables
        torch.bmm(state, tables.inner[part], out=hidden)
        hidden.clamp_min_(0.0)
        torch.bmm(state, tables.linear[part], out=told)
        told.baddbmm_(hidden, tables.last[part])

    def _space(self, name: str, like: Tensor, *shape: int) -> Tensor:
        size = math.prod(shape)
        held = self._memory.get(name)
        if held is None or held.numel() < size:
            held = self._memory[name] = like.new_empty(size)
        return held[:size].view(shape)


class HalfBlocks(Blocks):
    """Computes products in bf16, each summed in float32 and rounded, and adds them in float32."""

    def _altered(
        self, begun: Begun, part: slice, first: int, stop: int, state: Tensor, hidden: Tensor
    ) -> None:
        tables = self._tables
        told = self._space("product", hidden, *state.shape)
        torch.bmm(hidden, tables.outer[part], out=told.view(*hidden.shape[:2], -1))
        state.add_(told)
        torch.bmm(tables.vectors[part, first:stop], begun.pairs[part], out=told)
        state.add_(told)

    def _decoded(self, part: slice, state: Tensor, hidden: Tensor, told: Tensor) -> None:
        tables = self._tables
        rounded = self._space("product", hidden, *state.shape)
        torch.bmm(rounded.copy_(state), tables.inner[part], out=hidden)
        # A negative number is one whatever its bits are taken for, and whole numbers are faster.
        hidden.view(torch.int16).clamp_min_(0)
        torch.bmm(state, tables.linear[part], out=told)
        last = self._space("last", hidden, *told.shape)
        told.add_(torch.bmm(hidden, tables.last[part], out=last))
