"""What an ensemble makes of prefixes, once for all items that may follow them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from loop.ports.arrays import Combinations, IntArray
from surrogate.ensemble_tables import EnsembleTables


@dataclass(frozen=True, slots=True)
class Begun:
    """What the members make of R prefixes of one context.

    Attributes:
        gain: The context's factors on effects, shape (M, 1, s).
        offset: States before an item comes, and the constant of the hidden layer, (M, 1, R, s).
        bend: Below which the hidden layer keeps an item's part down, shape (M, 1, R, w).
        pairs: From an item's vector to what it does with each prefix, shape (M, w, R s); or else
        crossed: What an item's left and right factors are multiplied by, shape (M, 1, R, 2q).

    The last three are of the dtype of the tables' vectors.
    """

    gain: Tensor
    offset: Tensor
    bend: Tensor
    pairs: Tensor | None
    crossed: Tensor | None

    def part(self, members: slice) -> "Begun":
        """What some of the members make of them."""
        return Begun(
            self.gain[members],
            self.offset[members],
            self.bend[members],
            None if self.pairs is None else self.pairs[members],
            None if self.crossed is None else self.crossed[members],
        )


def begun(tables: EnsembleTables, prefixes: Combinations) -> Begun:
    """Sum up R prefixes.

    O(M R w (k q + s)) time, and where many items follow O(M R w^2 s), or O(M R w q s) for large w.
    """
    places = tables.places(prefixes)
    filled = max(int((places < tables.places.count).sum(axis=1).max(initial=0)), 1)
    used = torch.as_tensor(places[:, :filled], device=tables.effects.device)
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
    left, right = (
        torch.bmm(vectors.flatten(1, 2), each).view(*vectors.shape[:3], -1)
        for each in (tables.left, tables.right)
    )
    lefts, rights = left.sum(dim=2), right.sum(dim=2)
    if used.shape[1] > 1:
        among = lefts * rights - (left * right).sum(dim=2)
        offset += among * pair_gain @ tables.pairwise
    kind = tables.vectors.dtype
    pairs = crossed = None
    if _to_come(tables, places) < tables.few:
        crossed = torch.cat([rights * pair_gain, lefts * pair_gain], dim=2)[:, None].to(kind)
    else:
        form = tables.bilinear(context)
        whole = vectors.sum(dim=2)
        by_item = (
            _by_factors(tables, lefts * pair_gain, rights * pair_gain)
            if form is None
            else torch.bmm(whole, form).view(*whole.shape, -1).transpose(1, 2)
        )
        pairs = by_item.to(kind, memory_format=torch.contiguous_format).flatten(2)
    return Begun(gain, offset[:, None], bend.neg_()[:, None].to(kind), pairs, crossed)


def _to_come(tables: EnsembleTables, places: IntArray) -> int:
    """How many items may follow the first of the prefixes."""
    count = tables.places.count
    last = np.where(places < count, places, -1).max(axis=1, initial=-1)
    return count - 1 - int(last.min())


def _by_factors(tables: EnsembleTables, lefts: Tensor, rights: Tensor) -> Tensor:
    """From an item's vector to what it does with each prefix, (M, w, R, s)."""
    by_member = []
    for left, right, outer, one, other in zip(
        tables.left, tables.right, tables.pairwise, lefts, rights, strict=True
    ):
        mixed = other * left[:, None]
        by_member.append(mixed.addcmul_(one, right[:, None]) @ outer)
    return torch.stack(by_member)
