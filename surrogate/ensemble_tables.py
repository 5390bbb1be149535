"""What an ensemble knows of items and contexts, ready for tiles (`surrogate.ensemble_tiler`)."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from loop.ports.arrays import Combinations
from surrogate.encoding import Encoder
from surrogate.item_places import ItemPlaces
from surrogate.learned_ensemble import LearnedEnsemble
from surrogate.manipulator import ContextTable, Shape
from surrogate.members import Members

_ITEMS = 2_048
_MOST = 2**23


@dataclass(frozen=True, slots=True)
class EnsembleTables:
    """What never changes: all that M members know of U items and of contexts.

    Attributes:
        places: Where the components of a prefix stand.
        effects: Shape (M, U + 1, s), the last row 0, as in the next two.
        hidden: What goes to the hidden layer, shape (M, U + 1, w); may be bf16.
        vectors: Shape (M, U + 1, w); may be bf16.
        contexts: Tables of contexts.
        left: From a vector to its left factor, shape (M, w, q).
        right: From a vector to its right factor, shape (M, w, q).
        pairwise: From pairs to states, scaled, shape (M, q, s).
        outer: From the hidden layer to states, scaled, shape (M, w, s).
        inner: From states to the decoder's hidden layer, shape (M, s, w).
        linear: From states to the R' readouts asked for, in their units, shape (M, s, R').
        last: From the decoder's hidden layer to these, shape (M, w, R').
        centre: What is added to them, shape (R', M, 1, 1).
        bilinear: In a context, from a prefix's vector to what an item's vector does with it,
            shape (M, w, w s); None where it would be too large.
        factors: Left and right factors of items side by side, shape (M, U + 1, 2q), of the dtype
            of vectors; for more than 2,048 items none, (M, 0, 2q).
        few: Fewer items than these are better paired with a prefix one by one.
    """

    places: ItemPlaces
    effects: Tensor
    hidden: Tensor
    vectors: Tensor
    contexts: ContextTable
    left: Tensor
    right: Tensor
    pairwise: Tensor
    outer: Tensor
    inner: Tensor
    linear: Tensor
    last: Tensor
    centre: Tensor
    bilinear: Callable[[int], Tensor | None]
    factors: Tensor
    few: int

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        learned: LearnedEnsemble,
        encoder: Encoder,
        items: Combinations,
        readouts: tuple[int, ...],
    ) -> "EnsembleTables":
        """What the members say of some items; O(M U w (r + w)) time."""
        members = learned.members
        shape, scales = members.shape, members.scales
        here, decoder = members.manipulator, members.decoder
        effects, hidden, vectors = _of_items(members, encoder, items)
        factors = here.factors.weight.detach()
        asked = list(readouts)
        size = vectors.new_tensor(learned.scale.sd * learned.reliability.trust)[asked]
        centre = vectors.new_tensor(learned.scale.mean)[asked]
        contexts = here.context_table(members.contexts, scales)
        left, right = factors.tensor_split(2, dim=2)
        pairwise = here.pairwise.weight * (scales.pairwise * (2 * shape.interaction) ** -0.5)

        def bilinear(context: int) -> Tensor | None:
            size = shape.members * shape.width**2 * shape.state
            if size > _MOST or shape.width > 2 * shape.interaction:
                return None
            return _bilinear(left, right, contexts.pair_gain[:, context], pairwise)

        return cls(
            places=ItemPlaces.of(items),
            effects=effects,
            hidden=hidden,
            vectors=vectors,
            contexts=contexts,
            left=left.contiguous(),
            right=right.contiguous(),
            pairwise=pairwise,
            outer=here.outer.weight * (scales.free * shape.width**-0.5),
            inner=decoder.inner.weight.detach(),
            linear=decoder.linear.weight[..., asked] * size,
            last=decoder.outer.weight[..., asked] * (size * shape.width**-0.5),
            centre=(decoder.bias[..., asked] * size + centre).permute(2, 0, 1)[..., None],
            bilinear=lru_cache(maxsize=2)(bilinear),
            factors=vectors[:, : vectors.shape[1] if len(items) <= _ITEMS else 0] @ factors,
            few=_few(shape) if len(items) <= _ITEMS else 0,
        )

    def part(self, members: slice) -> "EnsembleTables":
        """The tables of some members, as far as tiles ask for them, in the same memory."""
        names = (
            *("effects", "hidden", "vectors", "factors"),
            *("outer", "pairwise", "inner", "linear", "last"),
        )
        some = {name: getattr(self, name)[members] for name in names}
        return replace(self, **some, centre=self.centre[:, members])

    def in_half(self) -> "EnsembleTables":
        """The same with what enters the products of tiles in bf16."""
        names = ("hidden", "vectors", "outer", "inner", "last", "factors")
        return replace(self, **{name: getattr(self, name).bfloat16() for name in names})


def _of_items(
    members: Members, encoder: Encoder, items: Combinations
) -> tuple[Tensor, Tensor, Tensor]:
    """Effects, parts of the hidden layer, and vectors of U items, then a row of 0."""
    shape, here = members.shape, members.manipulator
    sizes = (shape.state, shape.width, shape.width)
    effects, hidden, vectors = (
        members.contexts.new_zeros(shape.members, len(items) + 1, size) for size in sizes
    )
    for first in range(0, len(items), _ITEMS):
        some, rows = encoder(items[slice(first, first + _ITEMS)])
        effect, vector = here.gated(some, members.scales)
        places, here_now = rows.places[:, 0], slice(first, first + len(rows.places))
        effects[:, here_now] = effect[:, places]
        vectors[:, here_now] = vector[:, places]
        hidden[:, here_now] = here.inner(vector)[:, places] * shape.slots**-0.5
    return effects, hidden, vectors


def _few(shape: Shape) -> int:
    """Behind how few items a prefix's own matrix for pairs costs more than it saves.

    To make it takes three times as long as its products should; without it a candidate costs two
    passes over its factors, and products of another size (measured on one core with AVX-512).
    """
    w, s, q = shape.width, shape.state, shape.interaction
    return math.ceil(6 * w * w * s / max(2 * q * s - 2 * w * s + 55 * q, 1))


def _bilinear(left: Tensor, right: Tensor, gain: Tensor, pairwise: Tensor) -> Tensor:
    """One bilinear form of two vectors for each member and column of a state, (M, w, w s)."""
    members, width, _ = left.shape
    whole = left.new_empty(members, width, width, pairwise.shape[2])
    weighted = (gain[..., None] * pairwise).transpose(1, 2)
    for one, other, weight, form in zip(left, right, weighted, whole, strict=True):
        crossed = (one * weight[:, None]) @ other.T
        form.copy_((crossed + crossed.transpose(1, 2)).permute(1, 2, 0))
    return whole.flatten(2)
