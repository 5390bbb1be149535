"""What each candidate would add to the batch so far."""

from typing import Protocol

from loop.ports.arrays import FloatArray


class Gains(Protocol):
    """The gains of K candidates, which change as the batch grows."""

    def values(self) -> FloatArray:
        """What each candidate would add now, shape (K,); this is its score."""
        ...

    def add(self, position: int) -> None:
        """Take a candidate into the batch."""
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
