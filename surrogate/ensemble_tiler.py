"""An ensemble's predictions of tiles: items times prefixes, without looking at them one by one.

All that enters a manipulator are sums over a set's items, so a prefix counts by its sum and
triples cost as much as pairs. For one prefix, what an item changes is

- its effect, an addition to the state;
- the pairwise path, linear in the item's vector: one matrix (w, s) for each prefix, and those of
  all prefixes side by side make one product for the whole tile;
- the hidden layer, relu(prefix + item) = max(item, -prefix) + prefix: one pass over memory, and a
  constant of the prefix.

Doses act on items and contexts on prefixes, so neither costs anything.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from loop.ports.arrays import Combinations
from surrogate.encoding import Encoder
from surrogate.item_places import ItemPlaces
from surrogate.learned_ensemble import LearnedEnsemble
from surrogate.manipulator import ContextTable
from surrogate.members import Members

_ROWS_ON_CPU, _ROWS_ELSEWHERE = 16, 64
_COLUMNS_ELSEWHERE = 1_024
_HIDDEN_ON_CPU = 2**20
"""Numbers of one member's hidden layer in a block: few enough for a shared cache, and so many
that the cost of calling torch does not show (smaller blocks were slower: `benchmarks/scan.py`)."""
_ITEMS = 2_048


@dataclass(frozen=True, slots=True)
class EnsembleTables:
    """What never changes: all that M members know of U items and of contexts.

    Attributes:
        places: Where the components of a prefix stand.
        effects: Shape (M, U + 1, s), the last row 0, as in the next two.
        hidden: What goes to the hidden layer, shape (M, U + 1, w).
        vectors: Shape (M, U + 1, w).
        contexts: Tables of contexts.
        left: From a vector to its left factor, shape (M, w, q).
        right: From a vector to its right factor, shape (M, w, q).
        pairwise: From pairs to states, scaled, shape (M, q, s).
        outer: From the hidden layer to states, scaled, shape (M, w, s).
        inner: From states to the decoder's hidden layer, shape (M, s, w).
        linear: From states to the R' readouts asked for, in their units, shape (M, s, R').
        last: From the decoder's hidden layer to these, shape (M, w, R').
        centre: What is added to them, shape (R', M, 1, 1).
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
        return cls(
            places=ItemPlaces.of(items),
            effects=effects,
            hidden=hidden,
            vectors=vectors,
            contexts=here.context_table(members.contexts, scales),
            left=factors[..., : shape.interaction].contiguous(),
            right=factors[..., shape.interaction :].contiguous(),
            pairwise=here.pairwise.weight * (scales.pairwise * (2 * shape.interaction) ** -0.5),
            outer=here.outer.weight * (scales.free * shape.width**-0.5),
            inner=decoder.inner.weight.detach(),
            linear=decoder.linear.weight[..., asked] * size,
            last=decoder.outer.weight[..., asked] * (size * shape.width**-0.5),
            centre=(decoder.bias[..., asked] * size + centre).permute(2, 0, 1)[..., None],
        )


@dataclass(frozen=True, slots=True)
class Begun:
    """What the members make of R prefixes.

    Attributes:
        gain: The context's factors on effects, shape (M, 1, s).
        offset: States before an item comes, and the constant of the hidden layer, (M, 1, R, s).
        bend: Below which the hidden layer keeps an item's part down, shape (M, 1, R, w).
        pairs: From an item's vector to what it does with each prefix, shape (M, w, R s).
    """

    gain: Tensor
    offset: Tensor
    bend: Tensor
    pairs: Tensor


class EnsembleTiler:
    """Tiles of an ensemble's predictions; the meaning of its methods is that of a `Tiler`.

    `group` members are computed at a time, and about `block` prefix-item pairs of them: on a CPU
    one member and what its cache holds, elsewhere all members and as many as pay. The last bit of
    an answer hangs on both, but not on what was asked before.
    """

    def __init__(self, tables: EnsembleTables, group: int, block: int) -> None:
        self._tables = tables
        self._group = group
        self._block = block
        self._buffers = _Buffers(tables.inner)

    @classmethod
    def of(
        cls,
        learned: LearnedEnsemble,
        encoder: Encoder,
        items: Combinations,
        readouts: tuple[int, ...],
    ) -> "EnsembleTiler":
        """A tiler for the device on which the members are."""
        tables = EnsembleTables.of(learned, encoder, items, readouts)
        members, _, width = tables.inner.shape
        if tables.inner.device.type == "cpu":
            return cls(tables, 1, max(_HIDDEN_ON_CPU // width, 64))
        return cls(tables, members, _ROWS_ELSEWHERE * _COLUMNS_ELSEWHERE)

    @property
    def members(self) -> int:
        """M."""
        return len(self._tables.inner)

    @property
    def rows(self) -> int:
        """How many prefixes a full tile should have."""
        return _ROWS_ON_CPU if self._on_cpu else _ROWS_ELSEWHERE

    @property
    def columns(self) -> int:
        """How many items a full tile should have."""
        return max(self._block // self.rows, 1)

    @property
    def flops_per_candidate(self) -> float:
        """Of the four products that a candidate needs; what is done once a prefix is left out."""
        members, s, w = self._tables.inner.shape
        return 2.0 * members * (3 * w * s + (s + w) * self._tables.linear.shape[2])

    def twin(self) -> "EnsembleTiler":
        """A tiler with buffers of its own and the same tables."""
        return EnsembleTiler(self._tables, self._group, self._block)

    @torch.no_grad()
    def begin(self, prefixes: Combinations) -> Begun:
        """Sum up R prefixes of one context; O(M R w q s) time, O(M R w s) memory."""
        tables, at = self._tables, _Where.of(self._tables, prefixes)
        parts = [at.begun(tables, part) for part in self._parts()]
        return Begun(*(torch.cat(each) for each in zip(*parts, strict=True)))

    @torch.no_grad()
    def means(self, begun: object, first: int, stop: int, out: Tensor) -> None:
        """Fill `out`, shape (R', M, stop - first, R)."""
        if not isinstance(begun, Begun):
            msg = f"begin gives what means takes, not {type(begun).__name__}"
            raise TypeError(msg)
        step = max(self._block // begun.bend.shape[2], 1)
        for part in self._parts():
            for start in range(first, stop, step):
                end = min(start + step, stop)
                self._block_means(
                    begun, part, start, end, out[:, part, start - first : end - first]
                )

    def _block_means(self, begun: Begun, part: slice, first: int, stop: int, out: Tensor) -> None:
        tables = self._tables
        state, hidden, told, effect = self._buffers(
            len(out[0]), stop - first, begun.bend.shape[2], tables.linear.shape[2]
        )
        torch.mul(tables.effects[part, first:stop], begun.gain[part], out=effect)
        torch.add(effect[:, :, None], begun.offset[part], out=state.by_prefix)
        torch.maximum(tables.hidden[part, first:stop, None], begun.bend[part], out=hidden.by_prefix)
        state.flat.baddbmm_(hidden.flat, tables.outer[part])
        state.by_item.baddbmm_(tables.vectors[part, first:stop], begun.pairs[part])
        torch.bmm(state.flat, tables.inner[part], out=hidden.flat)
        hidden.flat.clamp_min_(0.0)
        torch.bmm(state.flat, tables.linear[part], out=told.flat)
        told.flat.baddbmm_(hidden.flat, tables.last[part])
        torch.add(told.by_prefix.permute(3, 0, 1, 2), tables.centre[:, part], out=out)

    def _parts(self) -> list[slice]:
        return [slice(at, at + self._group) for at in range(0, self.members, self._group)]

    @property
    def _on_cpu(self) -> bool:
        return self._tables.inner.device.type == "cpu"


@dataclass(frozen=True, slots=True)
class _Where:
    """R prefixes as places in the tables, shape (R, k), and their context."""

    places: Tensor
    context: int

    @classmethod
    def of(cls, tables: EnsembleTables, prefixes: Combinations) -> "_Where":
        places = torch.as_tensor(tables.places(prefixes), device=tables.inner.device)
        return cls(places, int(prefixes.contexts[0]))

    def begun(self, tables: EnsembleTables, part: slice) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of some members; see `Begun`."""
        known = tables.contexts
        gain, context, pair_gain, rest, at_rest = (
            each[part, self.context, None]
            for each in (
                known.gain,
                known.state,
                known.pair_gain,
                known.hidden,
                known.at_rest,
            )
        )
        effect, hidden = (
            self._gathered(each[part]).sum(dim=2) for each in (tables.effects, tables.hidden)
        )
        vectors = self._gathered(tables.vectors[part])
        left, right = (vectors @ each[part, None] for each in (tables.left, tables.right))
        lefts, rights = left.sum(dim=2), right.sum(dim=2)
        among = (lefts * rights - (left * right).sum(dim=2)) * pair_gain
        bend = hidden + rest
        paired = torch.baddbmm(bend @ tables.outer[part], among, tables.pairwise[part])
        offset = context - at_rest + effect * gain + paired
        mixed = (rights * pair_gain)[:, None] * tables.left[part, :, None]
        mixed.addcmul_((lefts * pair_gain)[:, None], tables.right[part, :, None])
        pairs = (mixed.flatten(1, 2) @ tables.pairwise[part]).view(*mixed.shape[:2], -1)
        return gain, offset[:, None], bend.neg_()[:, None], pairs

    def _gathered(self, table: Tensor) -> Tensor:
        return table[:, self.places]


@dataclass(frozen=True, slots=True)
class _Views:
    """One buffer as (G, L, R, c), (G, L, R c) and (G, L R, c)."""

    by_prefix: Tensor
    by_item: Tensor
    flat: Tensor


class _Buffers:
    """Buffers of one shape after the other in the same memory, each as its views."""

    def __init__(self, like: Tensor) -> None:
        self._like = like
        self._shape: tuple[int, ...] = ()
        self._held = [like.new_empty(0) for _ in range(4)]
        self._views: tuple[_Views, _Views, _Views, Tensor] | None = None

    def __call__(
        self, group: int, columns: int, rows: int, readouts: int
    ) -> tuple[_Views, _Views, _Views, Tensor]:
        """States, hidden layer, readouts, and effects (G, L, s)."""
        shape = (group, columns, rows, readouts)
        if self._views is None or shape != self._shape:
            _, s, w = self._like.shape
            count = group * columns * rows
            memory = [
                self._memory(place, size)
                for place, size in enumerate((count * s, count * w, count * readouts))
            ]
            state, hidden, told = (
                _Views(
                    each.view(group, columns, rows, -1),
                    each.view(group, columns, -1),
                    each.view(group, columns * rows, -1),
                )
                for each in memory
            )
            effect = self._memory(3, group * columns * s).view(group, columns, s)
            self._shape, self._views = shape, (state, hidden, told, effect)
        return self._views

    def _memory(self, place: int, size: int) -> Tensor:
        if self._held[place].numel() < size:
            self._held[place] = self._like.new_empty(size)
        return self._held[place][:size]


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
