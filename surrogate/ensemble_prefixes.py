"""What an ensemble makes of prefixes, once for all items that may follow them."""

from dataclasses import dataclass

import torch
from torch import Tensor

from loop.ports.arrays import Combinations
from surrogate.ensemble_tables import EnsembleTables


@dataclass(frozen=True, slots=True)
class Begun:
    """What the members make of R prefixes of one context.

    Attributes:
        gain: The context's factors on effects, shape (M, 1, s).
        offset: States before an item comes, and the constant of the hidden layer, (M, 1, R, s).
        bend: Below which the hidden layer keeps an item's part down, shape (M, 1, R, w).
        pairs: From an item's vector to what it does with each prefix, shape (M, w, R s).

    The last two are of the dtype of the tables' vectors.
    """

    gain: Tensor
    offset: Tensor
    bend: Tensor
    pairs: Tensor

    def part(self, members: slice) -> "Begun":
        """What some of the members make of them."""
        return Begun(
            self.gain[members], self.offset[members], self.bend[members], self.pairs[members]
        )


def begun(tables: EnsembleTables, prefixes: Combinations) -> Begun:
    """Sum up R prefixes; O(M R w^2 s) time, or O(M R w q s) where w is large."""
    places = torch.as_tensor(tables.places(prefixes), device=tables.effects.device)
    used = places[:, : max(int((prefixes.components >= 0).sum(axis=1).max(initial=0)), 1)]
    context, like = int(prefixes.contexts[0]), tables.effects
    gain, state, pair_gain, rest, at_rest = (
        each[:, context, None]
        for each in (
            tables.contexts.gain,
            tables.contexts.state,
            tables.contexts.pair_gain,
            tables.contexts.hidden,
            tables.contexts.at_rest,
        )
    )
    effect, hidden = (each[:, used].to(like).sum(dim=2) for each in (tables.effects, tables.hidden))
    vectors = tables.vectors[:, used].to(like)
    bend = hidden + rest
    offset = torch.baddbmm(state - at_rest + effect * gain, bend, tables.outer.to(like))
    if used.shape[1] > 1:
        offset += _among(tables, vectors) * pair_gain @ tables.pairwise
    whole = vectors.sum(dim=2)
    form = tables.bilinear(context)
    pairs = (
        _by_factors(tables, whole, pair_gain)
        if form is None
        else torch.bmm(whole, form).view(*whole.shape, -1).transpose(1, 2)
    )
    kind = tables.vectors.dtype
    return Begun(
        gain,
        offset[:, None],
        bend.neg_()[:, None].to(kind),
        pairs.to(kind, memory_format=torch.contiguous_format).flatten(2),
    )


def _among(tables: EnsembleTables, vectors: Tensor) -> Tensor:
    """The pairs of each prefix, by power sums, (M, R, q)."""
    left, right = (vectors @ each[:, None] for each in (tables.left, tables.right))
    pairs: Tensor = left.sum(dim=2) * right.sum(dim=2) - (left * right).sum(dim=2)
    return pairs


def _by_factors(tables: EnsembleTables, vectors: Tensor, gain: Tensor) -> Tensor:
    """From an item's vector to what it does with each prefix, (M, w, R, s)."""
    by_member = []
    for left, right, outer, vector, each in zip(
        tables.left, tables.right, tables.pairwise, vectors, gain, strict=True
    ):
        mixed = (vector @ right * each) * left[:, None]
        mixed.addcmul_(vector @ left * each, right[:, None])
        by_member.append(mixed @ outer)
    return torch.stack(by_member)
