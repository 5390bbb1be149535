"""What rates tiles of a space, whether exactly or by a student."""

from typing import Protocol, TypeVar

from torch import Tensor

from loop.ports.arrays import Combinations

_Begun = TypeVar("_Begun")


class Rater(Protocol):
    """Utilities of tiles of a `TiledSpace`: L neighbouring items behind R prefixes.

    One rater serves one thread at a time; what it says of a tile depends on the tile alone, to
    the last bit.
    """

    @property
    def rows(self) -> int:
        """How many prefixes (R) a full tile should have."""
        ...

    @property
    def columns(self) -> int:
        """How many items (L) a full tile should have."""
        ...

    def begin(self, prefixes: Combinations) -> object:
        """What `rate` needs to know of R prefixes of one context."""
        ...

    def rate(self, begun: object, first: int, stop: int) -> tuple[Tensor, Tensor | None]:
        """Utilities, shape (L, R), float32, and each member's favourites, (S, L, R) or None.

        Both may be overwritten by the next call.
        """
        ...

    def twin(self) -> "Rater":
        """A rater of the same utilities, with buffers of its own, for another thread."""
        ...


def begun_as(kind: type[_Begun], begun: object) -> _Begun:
    """What a rater's `begin` gave, once it is sure that it was this kind of rater.

    Raises:
        TypeError: If it was another.
    """
    if not isinstance(begun, kind):
        msg = f"begin gives what rate takes, not {type(begun).__name__}"
        raise TypeError(msg)
    return begun
