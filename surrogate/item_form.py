"""Functions of sets that are sums over items and over pairs of items, told tile by tile.

Value of a set = a constant of its order + the sum over its items of `singles` + the sum over its
pairs {i, j} of forms that are linear in either item. For one prefix the pairs' part is linear in
the item that comes, so a tile costs one product, whose other factor is made once a prefix.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from loop.ports.arrays import Combinations
from surrogate.item_places import ItemPlaces
from surrogate.mixed_tiler import MixedTiler, alone, halves
from surrogate.scratch import Scratch

_ROWS, _COLUMNS = 32, 128


@dataclass(frozen=True, slots=True)
class Turned:
    """What R prefixes give items in pairs, for F' functions.

    Attributes:
        by_column: What they give each column of an item's row of `SharedPairs.table`, (K, F' R).
        looked_up: What they give the items that have a place of their own, and 0 in the last row,
            shape (T + 1, F' R); None where no item has one.
    """

    by_column: Tensor
    looked_up: Tensor | None = None


class SharedPairs(Protocol):
    """Pairs whose items are described the same way for all of F' functions.

    A pair's value, symmetric, is the product of either item's row of `table` with what the other
    gives the columns, and what the other gives the item's own place.
    """

    @property
    def first(self) -> int:
        """The first of the F' functions that this is a part of."""
        ...

    @property
    def table(self) -> Tensor:
        """What describes an item that comes, shape (U + 1, K), the last row 0."""
        ...

    @property
    def places(self) -> "OwnPlaces | None":
        """The items that have a place of their own."""
        ...

    def described(self, places: Tensor) -> Tensor:
        """What describes items that are there already, (R, D); it is summed over a prefix."""
        ...

    def turned(self, described: Tensor) -> Turned:
        """What sums of descriptions, (R, D), give items; linear in them."""
        ...


class OwnPlaces:
    """Which of T places each of U items has: `places`, shape (U + 1,); T where it has none."""

    def __init__(self, places: Tensor, count: int) -> None:
        self.places = places
        there = (places < count).cpu().numpy()
        self._before = np.concatenate([[0], np.cumsum(there)])

    def any_among(self, first: int, stop: int) -> bool:
        """Whether one of some neighbouring items has a place."""
        return bool(self._before[stop] > self._before[first])


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

    `offset` (F, R); `own` is one (F', K, R) for each part of the kind.
    """

    placed: Placed
    offset: Tensor
    shared: list[Turned]
    own: list[Tensor]


class FormTiler:
    """Tiles of F functions for each of R' readouts, in the units and the dtype of the forms."""

    def __init__(self, places: ItemPlaces, forms: tuple[Form, ...]) -> None:
        self._places = places
        self._forms = forms
        # Twins share these; a scan goes through the contexts one after the other.
        self._placed = [lru_cache(maxsize=2)(form.in_context) for form in forms]
        self._scratch = Scratch()

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
            by_item = self._scratch("told", told, columns, functions * rows)
            whole = by_item.view(columns, functions, rows)
            torch.add(each.placed.singles[first:stop, :, None], each.offset, out=whole)
            for part, turned in zip(each.placed.shared, each.shared, strict=True):
                start = part.first * rows
                reached = by_item[:, start : start + turned.by_column.shape[1]]
                self._add(part, turned, first, stop, reached)
            told.copy_(whole.transpose(0, 1))
            for mine, vectors in zip(each.placed.own, each.own, strict=True):
                these = told[mine.first : mine.first + len(mine.table)]
                these.baddbmm_(mine.table[:, first:stop], vectors)

    def _add(
        self, part: SharedPairs, turned: Turned, first: int, stop: int, reached: Tensor
    ) -> None:
        reached.addmm_(part.table[first:stop], turned.by_column)
        own, given = part.places, turned.looked_up
        if own is not None and given is not None and own.any_among(first, stop):
            found = self._scratch("found", given, *reached.shape)
            reached += torch.index_select(given, 0, own.places[first:stop], out=found)


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
        shared.append(_shared(part, used, offset))
    for mine in placed.own:
        vectors = mine.table[:, used]
        total = vectors.sum(dim=2)
        pairs = 0.5 * (total.square() - vectors.square().sum(dim=2)) @ mine.signs
        offset[mine.first : mine.first + len(mine.table)] += pairs
        own.append((total * mine.signs).transpose(1, 2).contiguous())
    return _Begun(placed, offset, shared, own)


def _shared(part: SharedPairs, places: Tensor, offset: Tensor) -> Turned:
    """What prefixes give items; their own pairs are added to `offset`, (F, R)."""
    total = part.described(places[:, 0])
    turned = part.turned(total)
    for slot in places.T[1:]:
        pairs = _met(part, slot, turned)
        offset[part.first : part.first + len(pairs)] += pairs
        total = total + part.described(slot)
        turned = part.turned(total)
    return turned


def _met(part: SharedPairs, items: Tensor, turned: Turned) -> Tensor:
    """What each of R prefixes gives an item of its own, (F', R)."""
    rows = len(items)
    columns = turned.by_column.view(-1, turned.by_column.shape[1] // rows, rows)
    pairs = torch.einsum("rk,kfr->fr", part.table[items], columns)
    if part.places is not None and turned.looked_up is not None:
        given = turned.looked_up.view(-1, columns.shape[1], rows)
        pairs += given[part.places.places[items], :, torch.arange(rows, device=items.device)].T
    return pairs
