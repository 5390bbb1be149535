"""A space read from a file: a replay's table, a pool that was built beforehand."""

from collections.abc import Collection, Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt

from loop.domain.errors import InvalidError
from loop.ports.arrays import BoolArray, Combinations, IntArray
from loop.space.canonical import orders_of, with_sorted_slots
from loop.space.forbidden import ForbiddenSets, minimal_sets
from loop.space.sharding import check_addresses, shards_of

_SHARD = 1_000_000
_PLACES = 2**32 - 1


class ListedSpace:
    """The perturbations of a list; an address is a row number of that list.

    Memory is O(N k) for a list of N. Forbidden combinations keep their addresses.
    """

    def __init__(
        self, combinations: Combinations, forbidden: Collection[Collection[int]] = ()
    ) -> None:
        """Sort the rows once: O(N k log N).

        Args:
            combinations: The list, N rows, slots in any order.
            forbidden: Sets of positions; whatever contains one of them is not permitted.

        Raises:
            InvalidError: If a perturbation is listed twice or names a perturbagen twice, or a
                forbidden set is empty or negative.
        """
        self._rows = with_sorted_slots(combinations)
        _check(self._rows)
        keys = _packed(self._rows)
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]
        again = np.flatnonzero(self._keys[1:] == self._keys[:-1])
        if len(again):
            first, second = sorted(self._order[again[0] : again[0] + 2].tolist())
            msg = (
                f"Rows {first + 1} and {second + 1} of the list are the same perturbation; "
                "list each one once."
            )
            raise InvalidError(msg)
        width = int(self._rows.components.max(initial=0)) + 1
        width = max([width, *(max(each, default=0) + 1 for each in forbidden)])
        self._sets = ForbiddenSets(minimal_sets(forbidden, width), width)

    @property
    def slots(self) -> int:
        """k, the slots of the list."""
        return self._rows.slots

    def __len__(self) -> int:
        """How many rows were listed, forbidden ones included."""
        return len(self._rows)

    @cached_property
    def _on_offer(self) -> int:
        parts = (self._rows[slice(part.start, part.stop)] for part in self.shards(_SHARD))
        return sum(int(np.count_nonzero(self.permitted(part))) for part in parts)

    def on_offer(self) -> int:
        """How many rows are permitted; counted on the first call, then remembered."""
        return self._on_offer

    def shards(self, size: int) -> Iterator[range]:
        """Ranges of at most `size` addresses that cover the space once, in order."""
        return shards_of(len(self), size)

    def unrank(self, addresses: IntArray) -> Combinations:
        """The perturbations at N addresses.

        Raises:
            InvalidError: If an address is outside the space.
        """
        return self._rows[check_addresses(addresses, len(self))]

    def rank(self, combinations: Combinations) -> IntArray:
        """The addresses of N perturbations, -1 where the list does not hold one.

        By binary search. Slots may stand in any order and be more or fewer than the space's.
        """
        asked = with_sorted_slots(combinations)
        fits = (orders_of(asked) <= self.slots) & _packable(asked)
        found = np.full(len(asked), -1, dtype=np.int64)
        rows = np.flatnonzero(fits)
        if len(self) and len(rows):
            keys = _packed(with_sorted_slots(asked[rows], self.slots))
            places = np.minimum(np.searchsorted(self._keys, keys), len(self) - 1)
            found[rows] = np.where(self._keys[places] == keys, self._order[places], -1)
        return found

    def permitted(self, combinations: Combinations) -> BoolArray:
        """Which perturbations contain no forbidden set, shape (N,); slots in any order."""
        return ~self._sets.broken_by(with_sorted_slots(combinations).components)


def _packable(ordered: Combinations) -> BoolArray:
    """Which rows hold nothing but positions (and -1 in empty slots)."""
    empty = ordered.components == -1
    levels, components = ordered.levels, ordered.components
    sound = empty | ((levels >= 0) & (levels < _PLACES) & (components >= 0))
    sound &= components < _PLACES
    known = (ordered.contexts >= 0) & (ordered.contexts < _PLACES)
    packable: BoolArray = sound.all(axis=1) & known
    return packable


def _packed(ordered: Combinations) -> npt.NDArray[np.bytes_]:
    """Each row as bytes that sort as its numbers do: context, components, levels.

    Fixed-length byte strings compare as big-endian unsigned numbers, so one searchsorted
    serves rows of any width.
    """
    columns = (ordered.contexts[:, None], ordered.components, ordered.levels)
    numbers = (np.concatenate(columns, axis=1) + 1).astype(">u4")
    return np.ascontiguousarray(numbers).view(f"S{4 * numbers.shape[1]}").ravel()


def _check(ordered: Combinations) -> None:
    components = ordered.components
    twice = ((components[:, 1:] == components[:, :-1]) & (components[:, 1:] >= 0)).any(axis=1)
    for wrong, why in (
        (twice, "names a perturbagen twice; a perturbation is a set"),
        (~_packable(ordered), "holds a negative position; give positions in the library"),
    ):
        if wrong.any():
            msg = f"Row {int(np.flatnonzero(wrong)[0]) + 1} of the list {why}."
            raise InvalidError(msg)
