"""Observations in standard units, what is learned from them, and both as arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from torch import Tensor

from loop.ports.arrays import Combinations, FloatArray
from surrogate.mixed_tiler import MixedTiler
from surrogate.representation.whitening import Whitenings

Arrays = Mapping[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Observed:
    """Observations in standard units.

    Attributes:
        combinations: What was done, n rows.
        standard: Standardised values, shape (n, m), NaN where missing.
        wells: Wells behind each value, at least 1, shape (n, m).
        identities: The perturbations' names for life, shape (n,), uint64.
        whitenings: The maps of URs, kept for life.
        seed: What everything random hangs on, kept for life.
    """

    combinations: Combinations
    standard: FloatArray
    wells: FloatArray
    identities: npt.NDArray[np.uint64]
    whitenings: Whitenings
    seed: int

    def measured(self, readout: int) -> npt.NDArray[np.int64]:
        """The rows that have a value of a readout."""
        return np.flatnonzero(np.isfinite(self.standard[:, readout]))


class Solution(Protocol):
    """What has been learned of m readouts, in standard units.

    `noise` is the SD of one well, shape (m,); `fold` the mean and the variance of the truth of
    every training row, out of fold, each (n, m).
    """

    @property
    def noise(self) -> FloatArray: ...  # noqa: D102 (said above)

    @property
    def fold(self) -> tuple[FloatArray, FloatArray]: ...  # noqa: D102 (said above)

    def marginals(self, combinations: Combinations) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the truth, each (N, m)."""
        ...

    def members(self, combinations: Combinations) -> Tensor:
        """S realisations of the truth whose mean is the mean, shape (S, N, m)."""
        ...

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """All that `SolvedSurrogate._reopened` needs; `fold`, scales and whitenings left out."""
        ...


@runtime_checkable
class Tiled(Protocol):
    """What a `Solution` may have besides being one: it tells tiles."""

    def tiler(
        self, items: Combinations, readouts: tuple[int, ...], sizes: Tensor, centres: Tensor
    ) -> MixedTiler:
        """A tiler of the members in the readouts' units: `sizes` and `centres`, (R',)."""
        ...


def combinations_of(arrays: Arrays, prefix: str) -> Combinations:
    """The inverse of `combination_arrays`."""
    parts = (np.array(arrays[f"{prefix}.{name}"], dtype=np.int64) for name in _PARTS)
    return Combinations(*parts)


def combination_arrays(
    combinations: Combinations, prefix: str
) -> dict[str, npt.NDArray[np.generic]]:
    """Perturbations as arrays by name."""
    return {f"{prefix}.{name}": getattr(combinations, name) for name in _PARTS}


_PARTS = ("components", "levels", "contexts")
