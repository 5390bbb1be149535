"""Chosen prefixes, each followed by items: a view of a space that a sweep can walk."""

from dataclasses import dataclass

import numpy as np

from acquisition.limits.offer import Gate
from acquisition.scanning.item_numbers import ItemNumbers
from loop.ports.arrays import BoolArray, Combinations, FloatArray, IntArray
from loop.ports.engine import CandidateSpace, Section, Stripe, TiledSpace


@dataclass(frozen=True, slots=True)
class RowsSpace:
    """A `TiledSpace` of one section whose prefixes are H chosen sets.

    An address of it is row x U + item; `candidates` tells what stands there. Not every address
    is a set, and one set may stand at several.

    Attributes:
        items: As `TiledSpace.items`.
        rows: Item numbers of the prefixes, shape (H, r - 1).
        context: Their context.
        slots: The space's k.
        starts: The first item that follows each, shape (H,).
    """

    items: Combinations
    rows: IntArray
    context: int
    slots: int
    starts: IntArray

    def sections(self) -> tuple[Section, ...]:
        """The only section."""
        return (Section(self.context, self.rows.shape[1] + 1, len(self.rows)),)

    def stripe(self, section: Section, start: int, stop: int) -> Stripe:
        """Prefixes `start` to `stop - 1`."""
        numbers, part = ItemNumbers(self.items), slice(start, stop)
        begins = np.arange(start, stop, dtype=np.int64) * len(self.items)
        prefixes = numbers.sets(self.rows[part], self.context, self.slots)
        return Stripe(prefixes, self.starts[part], begins + self.starts[part])

    def candidates(self, addresses: IntArray) -> IntArray:
        """Item numbers of the sets at N addresses, shape (N, r)."""
        rows, items = np.divmod(addresses, len(self.items))
        return np.concatenate([self.rows[rows], items[:, None]], axis=1)


@dataclass(frozen=True, slots=True)
class SomeSections:
    """Some sections of a tiled space, under the addresses that they have there."""

    space: TiledSpace
    chosen: tuple[Section, ...]

    @property
    def items(self) -> Combinations:
        """The items of the space."""
        return self.space.items

    def sections(self) -> tuple[Section, ...]:
        """The chosen ones."""
        return self.chosen

    def stripe(self, section: Section, start: int, stop: int) -> Stripe:
        """As the space says."""
        return self.space.stripe(section, start, stop)


class Admitted:
    """An `Admission` to a sweep whose ratings are scores: costs are in them already."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def admits(self, addresses: IntArray) -> BoolArray:
        """Which may be chosen, shape (N,)."""
        return self._gate.admits(addresses)

    def charged(self, addresses: IntArray, utilities: FloatArray) -> FloatArray:
        """Just what is given."""
        return utilities


class AdmittedRows:
    """An `Admission` to a sweep over a `RowsSpace`.

    Args:
        rows: What is swept.
        space: The space that its sets belong to.
        gate: Who may be chosen, by the addresses of that space.
        exact: Whether the sweep rates utilities, from which costs must be taken off.
    """

    def __init__(
        self, rows: RowsSpace, space: CandidateSpace, gate: Gate, exact: bool = False
    ) -> None:
        self._rows = rows
        self._numbers = ItemNumbers(rows.items)
        self._space = space
        self._gate = gate
        self._exact = exact

    def addresses(self, places: IntArray) -> IntArray:
        """The addresses in the space of what stands at N places, -1 for what is no candidate."""
        numbers = self._rows.candidates(places)
        sets = self._numbers.sets(numbers, self._rows.context, self._rows.slots)
        return self._space.rank(sets)

    def admits(self, addresses: IntArray) -> BoolArray:
        """Which are candidates that may be chosen, shape (N,)."""
        real = self.addresses(addresses)
        answer: BoolArray = real >= 0
        answer[answer] = self._gate.admits(real[answer])
        return answer

    def charged(self, addresses: IntArray, utilities: FloatArray) -> FloatArray:
        """Utilities less costs, shape (N,); scores as they are."""
        if not self._exact:
            return utilities
        return self._gate.charged(self.addresses(addresses), utilities)
