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
