"""All combinations of given orders, doses and contexts, as arithmetic on addresses."""

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property

import numpy as np

from loop.domain.errors import InvalidError, SpaceTooLargeError
from loop.ports.arrays import BoolArray, Combinations, IntArray
from loop.ports.engine import Section, Stripe
from loop.space.canonical import orders_of, with_sorted_slots
from loop.space.counting import permitted_counts
from loop.space.forbidden import ForbiddenSets, minimal_sets
from loop.space.sharding import check_addresses, shards_of

LARGEST = 2**62
"""The most addresses that a space may have."""


class VirtualSpace:
    """Every set of r perturbagens for each order r, at one level each, in each context.

    Addresses follow the combinatorial number system (Lehmer 1964; Knuth, TAOCP 4A, 7.2.1.3),
    generalised to perturbagens with several levels: where that system counts subsets with
    binomial coefficients, we count with elementary symmetric polynomials of the numbers of
    levels. The context is the slowest part of an address, then the order (ascending), then the
    first perturbagen, its level, the second perturbagen, and so on.

    Memory is O(P k) and no more. Forbidden combinations keep their addresses.
    """

    def __init__(
        self,
        levels: IntArray | Sequence[int],
        contexts: int,
        orders: Sequence[int],
        forbidden: Collection[Collection[int]] = (),
        slots: int | None = None,
    ) -> None:
        """Tabulate the counts: O(P k).

        Args:
            levels: Dose levels of each perturbagen, shape (P,), each at least 1 (a perturbagen
                without doses has one).
            contexts: How many contexts there are.
            orders: Which numbers of perturbagens may act together.
            forbidden: Sets of positions; whatever contains one of them is not permitted.
            slots: The k of the answers; the largest order where None.

        Raises:
            SpaceTooLargeError: If there were more than 2^62 addresses.
            InvalidError: If levels, contexts, orders or slots cannot be, or a forbidden set is
                empty or names a position that does not exist.
        """
        self._levels = np.asarray(levels, dtype=np.int64)
        self._contexts = contexts
        self._orders = tuple(sorted(set(orders)))
        self._check()
        highest = self._orders[-1]
        self._slots = highest if slots is None else slots
        if self._slots < highest:
            msg = f"A space of order {highest} needs {highest} slots; {self._slots} were given."
            raise InvalidError(msg)
        weights = self._levels.tolist()
        self._forbidden = minimal_sets(forbidden, len(weights))
        self._sets = ForbiddenSets(self._forbidden, len(weights))
        self._counts = _suffix_counts(weights, highest)
        self._starts = self._order_starts()

    @property
    def slots(self) -> int:
        """k, the slots of the answers."""
        return self._slots

    def __len__(self) -> int:
        """How many addresses there are, forbidden ones included."""
        return int(self._starts[-1]) * self._contexts

    @cached_property
    def _on_offer(self) -> int:
        counts = permitted_counts(self._levels.tolist(), self._forbidden, self._orders[-1])
        return self._contexts * sum(counts[order] for order in self._orders)

    def on_offer(self) -> int:
        """How many addresses are permitted; counted on the first call, then remembered.

        Cost: O(P k + F), plus the triangles among F forbidden pairs from order 3; from order 4 it
        grows with how many constraints hang together (see `loop.space.counting`).

        Raises:
            SpaceTooLargeError: If at order 4 or above the constraints are too entangled to count.
        """
        return self._on_offer

    def shards(self, size: int) -> Iterator[range]:
        """Ranges of at most `size` addresses that cover the space once, in order."""
        return shards_of(len(self), size)

    def unrank(self, addresses: IntArray) -> Combinations:
        """The perturbations at N addresses, in O(N k log P) time and O(N k) memory.

        Raises:
            InvalidError: If an address is outside the space.
        """
        addresses = check_addresses(addresses, len(self))
        contexts, rest = np.divmod(addresses, self._starts[-1])
        components = np.full((len(rest), self._slots), -1, dtype=np.int64)
        levels = np.full_like(components, -1)
        blocks = np.searchsorted(self._starts, rest, side="right") - 1
        for block, order in enumerate(self._orders):
            rows = np.flatnonzero(blocks == block)
            if len(rows):
                left = rest[rows] - self._starts[block]
                self._unrank_sets(order, rows, left, components, levels)
        return Combinations(components, levels, contexts)

    def _unrank_sets(
        self, order: int, rows: IntArray, left: IntArray, components: IntArray, levels: IntArray
    ) -> None:
        first = np.zeros(len(rows), dtype=np.int64)
        for slot in range(order):
            here, after = self._counts[order - slot], self._counts[order - slot - 1]
            # Counts fall along the suffixes, so their negatives are sorted: the chosen element is
            # the last whose suffix still holds more sets than remain behind the address.
            behind = here[first] - left
            chosen = np.searchsorted(-here, -behind, side="right") - 1
            left, first = here[chosen] - behind, chosen + 1
            levels[rows, slot], left = np.divmod(left, after[first])
            components[rows, slot] = chosen

    def rank(self, combinations: Combinations) -> IntArray:
        """The addresses of N perturbations, -1 where the space does not hold one.

        Slots may stand in any order and be more or fewer than the space's; what stands in the
        levels of an empty slot does not matter. O(N k) time and memory.
        """
        ordered = with_sorted_slots(combinations)
        orders = orders_of(ordered)
        sound = self._holds(ordered)
        addresses = np.full(len(ordered), -1, dtype=np.int64)
        for start, order in zip(self._starts[:-1], self._orders, strict=True):
            rows = np.flatnonzero(sound & (orders == order))
            if len(rows):
                within = start + self._rank_sets(order, order, ordered, rows)
                addresses[rows] = ordered.contexts[rows] * self._starts[-1] + within
        return addresses

    def _rank_sets(self, order: int, known: int, ordered: Combinations, rows: IntArray) -> IntArray:
        """The place among the sets of `order` of the first that begins with `known` components."""
        address = np.zeros(len(rows), dtype=np.int64)
        first = np.zeros(len(rows), dtype=np.int64)
        for slot in range(known):
            here, after = self._counts[order - slot], self._counts[order - slot - 1]
            chosen = ordered.components[rows, slot]
            address += here[first] - here[chosen]
            first = chosen + 1
            address += ordered.levels[rows, slot] * after[first]
        return address

    @cached_property
    def items(self) -> Combinations:
        """The U pairs of a perturbagen and one of its levels, each as the only component."""
        counts = self._levels
        perturbagens = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
        components = np.full((len(perturbagens), max(self._slots, 1)), -1, dtype=np.int64)
        levels = np.full_like(components, -1)
        components[:, 0] = perturbagens
        levels[:, 0] = np.arange(len(perturbagens)) - self._first_items[perturbagens]
        return Combinations(components, levels, np.zeros(len(perturbagens), dtype=np.int64))

    @cached_property
    def _first_items(self) -> IntArray:
        """The first item of each perturbagen, and U, shape (P + 1,)."""
        return np.concatenate([[0], np.cumsum(self._levels)]).astype(np.int64)

    def sections(self) -> tuple[Section, ...]:
        """All orders from 1 in all contexts, in the order of their addresses."""
        return tuple(
            Section(context, order, int(self._counts[order - 1][0]))
            for context in range(self._contexts)
            for order in self._orders
            if order
        )

    def stripe(self, section: Section, start: int, stop: int) -> Stripe:
        """Prefixes `start` to `stop - 1`: the sets of one component less, in their own order.

        Behind a prefix the addresses of its continuations follow one another, for the last
        perturbagen and its level are the fastest part of an address. O(R k log P).

        Raises:
            InvalidError: If the section has no such prefixes.
        """
        order, fewer = section.order, section.order - 1
        if not 0 <= start <= stop <= section.prefixes:
            msg = (
                f"Prefixes {start} to {stop} are outside a section of {section.prefixes}; they "
                f"run from 0 to {section.prefixes}."
            )
            raise InvalidError(msg)
        rows = np.arange(stop - start, dtype=np.int64)
        components = np.full((len(rows), self._slots), -1, dtype=np.int64)
        levels = np.full_like(components, -1)
        self._unrank_sets(fewer, rows, rows + start, components, levels)
        prefixes = Combinations(components, levels, np.full(len(rows), section.context))
        ends = components[:, fewer - 1] + 1 if fewer else np.zeros_like(rows)
        before = section.context * self._starts[-1] + self._starts[self._orders.index(order)]
        addresses = before + self._rank_sets(order, fewer, prefixes, rows)
        return Stripe(prefixes, self._first_items[ends], addresses)

    def permitted(self, combinations: Combinations) -> BoolArray:
        """Which perturbations contain no forbidden set, shape (N,); slots in any order."""
        return ~self._sets.broken_by(with_sorted_slots(combinations).components)

    def _holds(self, ordered: Combinations) -> BoolArray:
        """Which rows name perturbagens, levels and a context that exist, none of them twice."""
        components, levels = ordered.components, ordered.levels
        empty = components == -1
        exists = empty | ((components >= 0) & (components < len(self._levels)))
        most = self._levels[np.where(exists & ~empty, components, 0)]
        right = exists & (empty | ((levels >= 0) & (levels < most)))
        twice = (components[:, 1:] == components[:, :-1]) & ~empty[:, 1:]
        known = (ordered.contexts >= 0) & (ordered.contexts < self._contexts)
        held: BoolArray = right.all(axis=1) & ~twice.any(axis=1) & known
        return held

    def _check(self) -> None:
        if self._levels.ndim != 1 or not len(self._levels) or self._levels.min() < 1:
            msg = "A space needs at least one perturbagen, and each needs at least one dose level."
            raise InvalidError(msg)
        if self._contexts < 1:
            msg = f"A space needs at least one context; {self._contexts} were given."
            raise InvalidError(msg)
        if not self._orders or self._orders[0] < 0 or self._orders[-1] > len(self._levels):
            msg = (
                f"Orders {list(self._orders)} do not fit {len(self._levels)} perturbagens; give "
                f"whole numbers from 0 to {len(self._levels)}."
            )
            raise InvalidError(msg)

    def _order_starts(self) -> IntArray:
        """Where each order begins within a context; the last entry is their total."""
        starts = [0]
        for order in self._orders:
            starts.append(starts[-1] + int(self._counts[order][0]))
            if starts[-1] * self._contexts > LARGEST:
                msg = (
                    f"{len(self._levels)} perturbagens at order {order} in {self._contexts} "
                    "contexts make more than 2^62 perturbations; lower the order, shorten the "
                    "library, or list the allowed perturbations in a file."
                )
                raise SpaceTooLargeError(msg)
        return np.array(starts, dtype=np.int64)


def _suffix_counts(levels: list[int], highest: int) -> list[IntArray]:
    """Weighted numbers of r-subsets of each suffix: `[r][i]`, i from 0 to P.

    Counts past 2^63 - 1 stand as that number. That is exact for every count that is used: from a
    space that can be addressed, no suffix is reached that holds more.
    """
    ceiling = int(np.iinfo(np.int64).max)
    rows = [[1] * (len(levels) + 1)]
    for _ in range(highest):
        fewer, row = rows[-1], [0] * (len(levels) + 1)
        for i in range(len(levels) - 1, -1, -1):
            row[i] = min(row[i + 1] + levels[i] * fewer[i + 1], ceiling)
        rows.append(row)
    return [np.array(row, dtype=np.int64) for row in rows]
