"""The exact rater: every member's prediction of a tile, and what a rule makes of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from acquisition.belief.finite import not_finite
from acquisition.belief.marginals import Marginals
from acquisition.belief.rater import begun_as
from acquisition.belief.scannable import Tiler
from loop.domain.errors import IncompatibleError
from loop.ports.arrays import BoolArray, Combinations, IntArray

Rating = Callable[[tuple[Marginals, ...]], Tensor]
"""Rates N candidates by the beliefs about R' readouts, shape (N,), or (S, N) for every member."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """A tiler, and what else it takes to believe its tiles.

    Attributes:
        tiler: Predicts tiles of `items`.
        items: The items that it knows, as `TiledSpace.items`.
        noise_sds: The SD of a measurement's noise for each of its readouts.
        device: Where its tiles lie.
    """

    tiler: Tiler
    items: Combinations
    noise_sds: tuple[float, ...]
    device: torch.device


@dataclass(frozen=True, slots=True)
class _Begun:
    prefixes: Combinations
    by_tiler: object


class MemberRater:
    """A `Rater` that asks all members, in float32, and rates what they say in float64.

    Rating in float64 costs a few nanoseconds a candidate, and rules may count on its range.

    Args:
        tiling: Predicts.
        utility: Rates candidates.
        favourites: Rates them for every member; None: the rule has no use for that.
        ordered: Whether only items behind the last of a prefix make candidates with it, as in a
            `TiledSpace`; see `anywhere`.
    """

    def __init__(
        self,
        tiling: Tiling,
        utility: Rating,
        favourites: Rating | None,
        ordered: bool = True,
    ) -> None:
        self._tiling = tiling
        self._utility = utility
        self._favourites = favourites
        self._ordered = ordered
        self._memory = torch.empty(0, dtype=torch.float32, device=tiling.device)

    @property
    def rows(self) -> int:
        """How many prefixes a full tile should have: the tiler knows."""
        return self._tiling.tiler.rows

    @property
    def columns(self) -> int:
        """How many items a full tile should have: the tiler knows."""
        return self._tiling.tiler.columns

    def begin(self, prefixes: Combinations) -> object:
        """What `rate` needs to know of R prefixes of one context."""
        return _Begun(prefixes, self._tiling.tiler.begin(prefixes))

    def rate(self, begun: object, first: int, stop: int) -> tuple[Tensor, Tensor | None]:
        """Utilities, shape (L, R), and each member's favourites, shape (S, L, R), or None.

        Raises:
            IncompatibleError: If a member predicts no finite number; the sentence names it.
        """
        means = self._means(begun_as(_Begun, begun), first, stop)
        shape = means.shape[2:]
        marginals = tuple(
            Marginals(each.flatten(1).double(), None, noise)
            for each, noise in zip(means, self._tiling.noise_sds, strict=True)
        )
        utilities = self._utility(marginals).float().view(shape)
        if self._favourites is None:
            return utilities, None
        return utilities, self._favourites(marginals).float().view(-1, *shape)

    def twin(self) -> "MemberRater":
        """A rater of the same utilities with a tiler and a buffer of its own."""
        tiling = self._tiling
        tiler = tiling.tiler.twin()
        own = Tiling(tiler, tiling.items, tiling.noise_sds, tiling.device)
        return MemberRater(own, self._utility, self._favourites, self._ordered)

    def anywhere(self) -> "MemberRater":
        """A rater for prefixes that any item may follow whose perturbagen they do not hold.

        Only for tilers whose tiles hold there too. It shares the tiler: use one or the other.
        """
        return MemberRater(self._tiling, self._utility, self._favourites, ordered=False)

    def _means(self, begun: _Begun, first: int, stop: int) -> Tensor:
        """What S members predict of R' readouts, shape (R', S, L, R); overwritten every time."""
        tiling = self._tiling
        readouts, members = len(tiling.noise_sds), tiling.tiler.members
        shape = (readouts, members, stop - first, len(begun.prefixes))
        size = int(np.prod(shape))
        if len(self._memory) < size:
            self._memory = torch.empty(size, dtype=torch.float32, device=tiling.device)
        means = self._memory[:size].view(shape)
        tiling.tiler.means(begun.by_tiler, first, stop, means)
        if not bool(means.sum().isfinite()):
            self._look_into(means, begun.prefixes, first, stop)
        return means

    def _look_into(self, means: Tensor, prefixes: Combinations, first: int, stop: int) -> None:
        """Name what is not finite, if it is a candidate; what is none becomes 0."""
        last = (prefixes.components >= 0).sum(axis=1)
        items = self._tiling.items[slice(first, stop)]
        makes = _follows(items, prefixes, last) if self._ordered else _is_new(items, prefixes)
        made = torch.from_numpy(makes).to(means.device)
        wrong = (~means.isfinite() & made).nonzero()
        if len(wrong):
            readout, member, item, row = wrong[0].tolist()
            value = float(means[readout, member, item, row])
            one = _continued(prefixes[row : row + 1], int(last[row]), items[item : item + 1])
            raise IncompatibleError(not_finite(member, value, one))
        torch.nan_to_num_(means, 0.0, 0.0, 0.0)


def _follows(items: Combinations, prefixes: Combinations, sizes: IntArray) -> BoolArray:
    """Which of L items stand behind the last of each of R prefixes, shape (L, R)."""
    rows = np.arange(len(prefixes))
    before = np.where(sizes > 0, prefixes.components[rows, sizes - 1], -1)
    return np.asarray(items.components[:, :1] > before)


def _is_new(items: Combinations, prefixes: Combinations) -> BoolArray:
    """Which of L items have a perturbagen that R prefixes do not hold, shape (L, R)."""
    held = items.components[:, :1, None] == prefixes.components[None]
    return np.asarray(~held.any(axis=2))


def _continued(prefix: Combinations, slot: int, item: Combinations) -> Combinations:
    """A prefix (N = 1) with an item in an empty slot, components ascending."""
    components, levels = prefix.components.copy(), prefix.levels.copy()
    components[0, slot], levels[0, slot] = item.components[0, 0], item.levels[0, 0]
    order = np.argsort(components[0, : slot + 1])
    components[0, : slot + 1] = components[0, order]
    levels[0, : slot + 1] = levels[0, order]
    return Combinations(components, levels, prefix.contexts)
