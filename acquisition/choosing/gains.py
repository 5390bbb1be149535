"""What each candidate would add to the batch so far."""

from typing import Protocol, runtime_checkable

from loop.ports.arrays import BoolArray, FloatArray, IntArray


class Gains(Protocol):
    """The gains of K candidates, which change as the batch grows."""

    def values(self) -> FloatArray:
        """What each candidate would add now, shape (K,); this is its score."""
        ...

    def add(self, position: int) -> None:
        """Take a candidate into the batch."""
        ...


@runtime_checkable
class ShrinkingGains(Gains, Protocol):
    """Gains that never grow as the batch does, so that few need to be looked at for each pick.

    This holds wherever the batch's value is submodular; `LazyChooser` makes use of it.
    """

    def bounds(self) -> FloatArray:
        """Cheap upper bounds of all gains, shape (K,), good for as long as the batch grows."""
        ...

    def values_at(self, positions: IntArray) -> FloatArray:
        """What some candidates would add now, shape (n,): to the last bit what `values` says."""
        ...


@runtime_checkable
class OwingGains(Gains, Protocol):
    """Gains of a batch that owes something, which whoever is due is chosen for before all others.

    The debt decides who is compared, and never what a gain is.
    """

    def due(self) -> BoolArray:
        """Who is chosen now as long as any of them is allowed, shape (K,)."""
        ...


class FixedGains:
    """Gains that do not change: a batch is worth the sum of its candidates."""

    def __init__(self, utilities: FloatArray) -> None:
        self._utilities = utilities

    def values(self) -> FloatArray:
        """The utilities, shape (K,)."""
        return self._utilities

    def add(self, position: int) -> None:
        """Change nothing."""
