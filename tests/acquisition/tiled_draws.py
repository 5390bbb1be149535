"""A surrogate with members that knows tiles, and computes them in tiles; exact in float32."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from loop.ports.arrays import Combinations


class TiledDraws:
    """S members, each a sum of effects, of products of pairs, and of a context's effect.

    All are whole numbers of eighths below a few hundred, so that float32 adds them exactly, in
    whatever order, and equal candidates tie exactly. The second readout has no pairs. `litter` is
    what tiles hold where there is no candidate.
    """

    def __init__(
        self,
        levels: Sequence[int],
        contexts: int = 1,
        members: int = 4,
        seed: int = 0,
        rows: int = 3,
        columns: int = 4,
        spread: int = 6,
    ) -> None:
        rng = np.random.default_rng(seed)
        shape = (members, len(levels), max(levels))

        def eighths(*sizes: int) -> Tensor:
            return torch.from_numpy(rng.integers(-spread, spread + 1, sizes) / 8.0)

        self.effects = eighths(*shape)
        self.factors = torch.from_numpy(rng.integers(-2, 3, (*shape, 2)) / 2.0)
        self.contexts = eighths(members, contexts)
        self.rows, self.columns = rows, columns
        self.tiles = 0
        self.litter = 0.0

    def spoil(self, member: int, perturbagen: int, level: int, value: float) -> None:
        """Let one member say something else of one item, wherever it occurs."""
        self.effects[member, perturbagen, level] = value

    def member_means(self, combinations: Combinations) -> Tensor:
        effect, _, pairs = self.sums(combinations, torch.float64)
        context = self.contexts[:, torch.from_numpy(combinations.contexts)]
        return torch.stack([effect + pairs + context, 2 * context - effect], dim=-1)

    def sums(self, combinations: Combinations, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """Of N perturbations: effects (S, N), factors (S, N, 2), products of pairs (S, N)."""
        held = torch.from_numpy(combinations.components >= 0)
        components = torch.from_numpy(combinations.components).clamp_min(0)
        levels = torch.from_numpy(combinations.levels).clamp_min(0)
        effects = torch.where(held, self.effects[:, components, levels], 0.0)
        factors = torch.where(held[..., None], self.factors[:, components, levels], 0.0)
        total = factors.sum(dim=2)
        pairs = (total**2 - (factors**2).sum(dim=2)).sum(dim=-1) / 2
        return effects.sum(dim=2).to(dtype), total.to(dtype), pairs.to(dtype)

    def noise_sd(self) -> Tensor:
        return torch.tensor([0.5, 0.25], dtype=torch.float64)

    def tiler(self, items: Combinations, readouts: tuple[int, ...], precision: str) -> "DrawsTiler":
        return DrawsTiler(self, items, readouts, precision)

    def model(self) -> object:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class _Begun:
    effects: Tensor
    factors: Tensor
    pairs: Tensor
    context: Tensor
    last: Tensor


class DrawsTiler:
    """Tiles as two small products, in float32 or rounded to bf16."""

    def __init__(
        self, draws: TiledDraws, items: Combinations, readouts: tuple[int, ...], precision: str
    ) -> None:
        self._draws, self._items, self._readouts = draws, items, readouts
        self._precision = precision
        self._effects, self._factors, _ = draws.sums(items, torch.float32)

    @property
    def members(self) -> int:
        return len(self._draws.effects)

    @property
    def rows(self) -> int:
        return self._draws.rows

    @property
    def columns(self) -> int:
        return self._draws.columns

    @property
    def flops_per_candidate(self) -> float:
        return 4.0 * self.members

    def begin(self, prefixes: Combinations) -> object:
        assert len(set(prefixes.contexts.tolist())) == 1
        context = self._draws.contexts[:, int(prefixes.contexts[0])].float()
        last = torch.from_numpy(prefixes.components).amax(dim=1)
        return _Begun(*self._draws.sums(prefixes, torch.float32), context, last)

    def means(self, begun: object, first: int, stop: int, out: Tensor) -> None:
        assert isinstance(begun, _Begun)
        self._draws.tiles += 1
        effects = self._effects[:, first:stop, None] + begun.effects[:, None]
        products = self._factors[:, first:stop] @ begun.factors.transpose(1, 2)
        context = begun.context[:, None, None]
        both = effects + products + begun.pairs[:, None] + context, 2 * context - effects
        item = torch.from_numpy(self._items.components[first:stop, :1])
        for at, readout in enumerate(self._readouts):
            told = both[readout]
            out[at] = told if self._precision == "float32" else told.bfloat16().float()
            out[at].masked_fill_(item <= begun.last, self._draws.litter)

    def twin(self) -> "DrawsTiler":
        return DrawsTiler(self._draws, self._items, self._readouts, self._precision)
