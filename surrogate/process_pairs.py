"""How items meet in pairs under a Gaussian process's draws, with doses that tell and without.

Draws are a mean and by how much others differ from it, F functions; prior draws are part of all
but the first.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.encoding import Items
from surrogate.item_form import OwnPlaces, SharedPairs, Turned
from surrogate.observed_pairs import ObservedPairs
from surrogate.prior_draws import PriorDraws
from surrogate.set_kernel import OWN, grams

_ITEMS = 2_048


@dataclass(frozen=True, slots=True)
class AcrossDoses:
    """Tables of U items: how alike to T observed ones, and both features of prior draws.

    `alike` (U + 1, T) and `crossed` (U + 1, 2 x 512); the last rows are 0.
    """

    alike: Tensor
    crossed: Tensor

    @classmethod
    def of(cls, items: Items, observed: Items, prior: PriorDraws) -> "AcrossDoses":
        """In O(U T r) time and O(U T) memory."""
        alike, crossed = [], []
        for start in range(0, max(len(items), 1), _ITEMS):
            some = items[start : start + _ITEMS]
            alike.append(grams(some, observed)[2])
            crossed.append(torch.cat(prior.of_items(some, slice(2, 4)), dim=1))
        return cls(_edged(alike), _edged(crossed))

    def flops(self, functions: int) -> float:
        """For one perturbation."""
        return 2.0 * (self.alike.shape[1] * functions + self.crossed.shape[1] * (functions - 1))

    def terms(
        self, places: Tensor, weights: Tensor, prior: PriorDraws, drawn: Tensor
    ) -> tuple[SharedPairs, ...]:
        """Of weights of observations, (n, F), whose items are at `places`, and of features."""
        told = _Told(self.alike, ObservedPairs(places, weights, self.alike.shape[1]))
        return (told, _Crossed(self.crossed, drawn)) if drawn.shape[1] else (told,)


@dataclass(frozen=True, slots=True)
class _Told:
    """What the data say of pairs: an item is described by how alike it is to observed ones."""

    table: Tensor
    pairs: ObservedPairs
    first: int = 0
    places: None = None

    def described(self, places: Tensor) -> Tensor:
        """Likenesses to observed items."""
        return self.table[places]

    def turned(self, described: Tensor) -> Turned:
        """What the observed pairs give."""
        return Turned(self.pairs(described).flatten(1))


@dataclass(frozen=True, slots=True)
class _Crossed:
    """Prior draws of pairs: two features of an item meet the other's, by `weights` (512, F)."""

    table: Tensor
    weights: Tensor
    first: int = 1
    places: None = None

    def described(self, places: Tensor) -> Tensor:
        """Both features, side by side."""
        return self.table[places]

    def turned(self, described: Tensor) -> Turned:
        """The other feature of each, weighted."""
        left, right = described.T.tensor_split(2, dim=0)
        other = torch.cat([right, left])[:, None]
        return Turned((other * torch.cat([self.weights, self.weights])[:, :, None]).flatten(1))


@dataclass(frozen=True, slots=True)
class WithoutDoses:
    """Where doses tell nothing: likeness is a product of URs, or being the same perturbagen.

    So an item meets T observed perturbagens by the r columns of its UR and by its own place among
    them, and the prior draws' features by the columns that they are linear in.

    Attributes:
        table: These columns, the UR first, shape (U + 1, r + 256), the last row 0.
        places: Which of the observed perturbagens an item is.
        met: The observed perturbagens' URs, shape (T, r), scaled as in `table`.
        own: How much it counts to be the very same, shape (T,).
        merged: Which of them each observed item is, and T at the end.
    """

    table: Tensor
    places: OwnPlaces
    met: Tensor
    own: Tensor
    merged: Tensor

    @classmethod
    def of(cls, items: Items, observed: Items, prior: PriorDraws) -> "WithoutDoses":
        """In O(U (r + 256)) time and memory."""
        who, merged = torch.unique(observed.perturbagens, return_inverse=True)
        count, rank = len(who), items.features.shape[1]
        first = torch.zeros_like(who).scatter_(0, merged, torch.arange(len(merged)).to(who))
        found = torch.searchsorted(who, items.perturbagens).clamp(max=max(count - 1, 0))
        same = who[found] == items.perturbagens if count else torch.zeros_like(found).bool()
        places = torch.where(same, found, count)
        known = observed.known[first][:, 0]
        return cls(
            _edged([prior.plain(items)]),
            OwnPlaces(torch.cat([places, places.new_full((1,), count)]), count),
            observed.features[first] / max(rank, 1) ** 0.5,
            torch.where(known > 0, OWN, 1.0).to(items.features),
            torch.cat([merged, merged.new_full((1,), count)]),
        )

    def flops(self, functions: int) -> float:
        """For one perturbation."""
        return 2.0 * self.table.shape[1] * functions

    def terms(
        self, places: Tensor, weights: Tensor, prior: PriorDraws, drawn: Tensor
    ) -> tuple[SharedPairs, ...]:
        """Of weights of observations, (n, F), whose items are at `places`, and of features."""
        observed = ObservedPairs(self.merged[places], weights, len(self.met))
        return (_Plain(self, observed, prior.forms(drawn)),)


@dataclass(frozen=True, slots=True)
class _Plain:
    """Data and prior draws of pairs, without doses; `forms` (r + 256, F - 1, r + 256)."""

    items: WithoutDoses
    pairs: ObservedPairs
    forms: Tensor
    first: int = 0

    @property
    def table(self) -> Tensor:
        """The columns."""
        return self.items.table

    @property
    def places(self) -> OwnPlaces:
        """Places among the observed perturbagens."""
        return self.items.places

    def described(self, places: Tensor) -> Tensor:
        """The columns, then how alike to the observed perturbagens."""
        items = self.items
        columns = items.table[places]
        alike = columns[:, : items.met.shape[1]] @ items.met.T
        same = items.places.places[places][:, None] == torch.arange(len(items.met)).to(places)
        return torch.cat([columns, alike + same * items.own], dim=1)

    def turned(self, described: Tensor) -> Turned:
        """What columns, and places, are given."""
        width, drawn, _ = self.forms.shape
        columns, alike = described[:, :width], described[:, width:]
        told = self.pairs(alike)
        given = columns.new_zeros(width, drawn + 1, len(columns))
        given[:, 1:] = (self.forms.flatten(0, 1) @ columns.T).view(width, drawn, -1)
        flat = told.flatten(1)
        given.flatten(1)[: self.items.met.shape[1]] += self.items.met.T @ flat
        return Turned(given.flatten(1), _edged([flat * self.items.own[:, None]]))


def _edged(rows: list[Tensor]) -> Tensor:
    """Blocks of rows under one another, and a row of 0."""
    return torch.nn.functional.pad(torch.cat(rows), (0, 0, 0, 1))
