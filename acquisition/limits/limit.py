"""What a batch must keep to, one kind of limit at a time."""

from typing import Protocol

from loop.ports.arrays import BoolArray, Combinations


class Limit(Protocol):
    """One limit of a batch, which remembers what has been chosen so far."""

    def allowed(self, combinations: Combinations) -> BoolArray:
        """Which perturbations may be chosen next, shape (N,)."""
        ...

    def count(self, combination: Combinations) -> None:
        """Remember one perturbation (N = 1) that joins the batch."""
        ...

    def ending(self) -> str:
        """How it ends a choice, to follow "The batch needs 9 perturbations" and precede a dot."""
        ...

    def note(self, passed_over: Combinations) -> str:
        """What it did to the choice, a sentence, or nothing; see `Keeper.notes`."""
        ...


class Allows(Protocol):
    """Whatever can say which candidates may be chosen next."""

    def allowed(self, combinations: Combinations) -> BoolArray:
        """Which perturbations may be chosen next, shape (N,)."""
        ...
