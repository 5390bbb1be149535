"""Functions of sets that are sums over items and over pairs of items, told tile by tile.

Value of a set = a constant of its order + the sum over its items of `singles` + the sum over its
pairs {i, j} of forms that are linear in either item. For one prefix the pairs' part is linear in
the item that comes, so a tile costs one product, whose other factor is made once a prefix.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

from loop.ports.arrays import Combinations
from surrogate.item_places import ItemPlaces
from surrogate.mixed_tiler import MixedTiler, alone, halves

_ROWS, _COLUMNS = 32, 128


@dataclass(frozen=True, slots=True)
class SharedPairs:
    """Pairs whose items are described the same way for all of F' functions.

    Attributes:
        table: What describes an item, shape (U + 1, K), the last row 0.
        first: The first of the F' functions that this is a part of.
        count: F'.
        turned: From descriptions (R, K) to what they give those of other items, (K, F', R); a
            pair's value is then description . turned description, and symmetric.
    """

    table: Tensor
    first: int
    count: int
    turned: Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class OwnPairs:
    """Pairs in which every function has vectors of its own.

    Attributes:
        table: Vectors of items, shape (F', U + 1, K), the last row 0.
        signs: The sign with which each component's product counts, shape (K,).
        first: The first of the F' functions that this is a part of.
    """

    table: Tensor
    signs: Tensor
    first: int


@dataclass(frozen=True, slots=True)
class Placed:
    """F functions in one context.

    `singles` (U + 1, F), the last row 0; `constants` (k + 1, F), one row for each order.
    """

    singles: Tensor
    constants: Tensor
    shared: tuple[SharedPairs, ...] = ()
    own: tuple[OwnPairs, ...] = ()


class Form(Protocol):
    """F functions of one readout, in standard units, over U items."""

    @property
    def functions(self) -> int:
        """F."""
        ...

    @property
    def flops(self) -> float:
        """Multiplications and additions in products for one perturbation."""
        ...

    def in_context(self, context: int) -> Placed:
        """The functions in one context; the tables of pairs are the same for all contexts."""
        ...

    def leading(self, functions: int) -> "Form":
        """The first of the functions alone."""
        ...


@dataclass(frozen=True, slots=True)
class _Begun:
    """One readout: functions in context, what R prefixes say alone, and what they give items.

    `offset` (F, R); `shared` one (K, F' R) for each part, `own` one (F', K, R).
    """

    placed: Placed
    offset: Tensor
    shared: list[Tensor]
    own: list[Tensor]


class FormTiler:
    """Tiles of F functions for each of R' readouts, in the units and the dtype of the forms."""

    def __init__(self, places: ItemPlaces, forms: tuple[Form, ...]) -> None:
        self._places = places
        self._forms = forms
        # Twins share these; a scan goes through the contexts one after the other.
        self._placed = [lru_cache(maxsize=2)(form.in_context) for form in forms]
        self._buffer: Tensor | None = None

    @property
    def members(self) -> int:
        """F."""
        return self._forms[0].functions

    @property
    def rows(self) -> int:
        """How many prefixes a full tile should have."""
        return _ROWS

    @property
    def columns(self) -> int:
        """How many items a full tile should have."""
        return _COLUMNS

    @property
    def flops_per_candidate(self) -> float:
        """Of the products with the items of a tile."""
        return sum(form.flops for form in self._forms)

    def twin(self) -> "FormTiler":
        """A tiler with a buffer of its own and the same tables."""
        twin = FormTiler(self._places, self._forms)
        twin._placed = self._placed
        return twin

    def leading(self, functions: int) -> "FormTiler":
        """A tiler of the first of the functions alone."""
        return FormTiler(self._places, tuple(each.leading(functions) for each in self._forms))

    @torch.no_grad()
    def begin(self, prefixes: Combinations) -> list[_Begun]:
        """What R prefixes of one context say alone, and what they will give items."""
        places, context = self._places(prefixes), int(prefixes.contexts[0])
        begun = []
        for placed_in in self._placed:
            placed = placed_in(context)
            where = torch.as_tensor(places, device=placed.singles.device)
            begun.append(_begun(placed, where))
        return begun

    @torch.no_grad()
    def means(self, begun: list[_Begun], first: int, stop: int, out: Tensor) -> None:
        """Fill `out`, shape (R', F, stop - first, R)."""
        for each, told in zip(begun, out, strict=True):
            functions, columns, rows = told.shape
            space = self._space(told, columns * functions * rows)
            by_item = space.view(columns, functions * rows)
            whole = by_item.view(columns, functions, rows)
            torch.add(each.placed.singles[first:stop, :, None], each.offset, out=whole)
            for part, turned in zip(each.placed.shared, each.shared, strict=True):
                reached = by_item[:, part.first * rows : (part.first + part.count) * rows]
                reached.addmm_(part.table[first:stop], turned)
            told.copy_(whole.transpose(0, 1))
            for mine, vectors in zip(each.placed.own, each.own, strict=True):
                these = told[mine.first : mine.first + len(mine.table)]
                these.baddbmm_(mine.table[:, first:stop], vectors)

    def _space(self, like: Tensor, size: int) -> Tensor:
        if self._buffer is None or self._buffer.numel() < size:
            self._buffer = like.new_empty(size)
        return self._buffer[:size]


def mixed_halves(
    places: ItemPlaces, forms: tuple[Form, ...], sizes: Tensor, centres: Tensor
) -> MixedTiler:
    """Draws from forms that tell their mean and by how much the first half differs from it.

    One form for each of R' readouts; `sizes` and `centres`, (R',), are their units.
    """
    return MixedTiler((FormTiler(places, forms),), halves(forms[0].functions, sizes, centres))


def mixed_alone(
    places: ItemPlaces, forms: tuple[Form, ...], sizes: Tensor, centres: Tensor
) -> MixedTiler:
    """Draws from forms that tell each draw as a function of its own; else as above."""
    return MixedTiler((FormTiler(places, forms),), alone(forms[0].functions, sizes, centres))


def _begun(placed: Placed, places: Tensor) -> _Begun:
    """Of R prefixes, given as the places of their items, shape (R, k), U where empty."""
    filled = places < len(placed.singles) - 1
    order = filled.sum(dim=1)
    # The item that comes makes the order one more; an order that no space has gets any constant.
    constant = placed.constants[(order + 1).clamp(max=len(placed.constants) - 1)]
    offset = (constant + placed.singles[places].sum(dim=1)).T.contiguous()
    used = places[:, : max(int(order.max()), 1)]
    shared, own = [], []
    for part in placed.shared:
        reached = offset[part.first : part.first + part.count]
        shared.append(_shared(part, used, reached))
    for mine in placed.own:
        vectors = mine.table[:, used]
        total = vectors.sum(dim=2)
        pairs = 0.5 * (total.square() - vectors.square().sum(dim=2)) @ mine.signs
        offset[mine.first : mine.first + len(mine.table)] += pairs
        own.append((total * mine.signs).transpose(1, 2).contiguous())
    return _Begun(placed, offset, shared, own)


def _shared(part: SharedPairs, places: Tensor, offset: Tensor) -> Tensor:
    """What prefixes give items, (K, F' R); their own pairs are added to `offset`, (F', R)."""
    total = part.table[places[:, 0]]
    turned = part.turned(total)
    for slot in places.T[1:]:
        comes = part.table[slot]
        offset += torch.einsum("rk,kfr->fr", comes, turned)
        total = total + comes
        turned = part.turned(total)
    return turned.flatten(1)
