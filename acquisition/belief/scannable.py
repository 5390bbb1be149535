"""What a surrogate may offer so that a whole space is scanned fast."""

from typing import Protocol, runtime_checkable

from torch import Tensor

from loop.ports.arrays import Combinations


@runtime_checkable
class Scannable(Protocol):
    """A surrogate that predicts with S members, or draws, the same ones for every call."""

    def member_means(self, combinations: Combinations) -> Tensor:
        """What each member predicts, shape (S, N, m), in readout units."""
        ...

    def noise_sd(self) -> Tensor:
        """The SD of one well's noise, shape (m,), in readout units."""
        ...


@runtime_checkable
class KnowsNoise(Protocol):
    """A surrogate that knows the noise of one well, though it has no members."""

    def noise_sd(self) -> Tensor:
        """The SD of one well's noise, shape (m,), in readout units."""
        ...


class Tiler(Protocol):
    """Predictions of tiles of a `TiledSpace`: L neighbouring items behind R prefixes.

    One tiler serves one thread at a time, for it computes in buffers of its own; `twin` gives
    another that shares what never changes. What it says of a tile depends on the tile alone, to
    the last bit, whatever was asked before and however many threads there are.
    """

    @property
    def members(self) -> int:
        """S of the shapes."""
        ...

    @property
    def rows(self) -> int:
        """How many prefixes (R) a full tile should have for speed on this device."""
        ...

    @property
    def columns(self) -> int:
        """How many items (L) a full tile should have for speed on this device."""
        ...

    @property
    def flops_per_candidate(self) -> float:
        """Multiplications and additions in matrix products for one candidate, all members."""
        ...

    def begin(self, prefixes: Combinations) -> object:
        """What `means` needs to know of R prefixes (with the space's k slots, one context)."""
        ...

    def means(self, begun: object, first: int, stop: int, out: Tensor) -> None:
        """Fill `out`, shape (R', S, stop - first, R), float32, on the device, in readout units.

        R' are the readouts asked for. Items behind which a prefix makes no candidate are filled
        with numbers of no meaning.
        """
        ...

    def twin(self) -> "Tiler":
        """A tiler of the same predictions with buffers of its own."""
        ...


@runtime_checkable
class Tileable(Protocol):
    """A surrogate that predicts with members and knows tiles; `None` where it cannot here."""

    def tiler(self, items: Combinations, readouts: tuple[int, ...], precision: str) -> Tiler | None:
        """A tiler over items numbered as `TiledSpace.items`.

        `precision` is `float32` or `bf16` (matrix products in bf16 where that is faster, sums in
        float32). It agrees with `member_means` within rounding of that precision.
        """
        ...
