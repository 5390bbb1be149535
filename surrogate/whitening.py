"""URs made fit for learning: centred, rotated to principal components, and shortened.

Components keep their own variances. Giving them equal variances, or the columns equal SDs, made
prediction from a few hundred wells of a real pair screen clearly worse: in embeddings the early
components carry the signal. Only columns much wider than the usual one (another unit) are tamed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loop.ports.arrays import BoolArray, FloatArray, Representations

_FLAT = 1e-12
_WIDEST = 4.0


@dataclass(frozen=True, slots=True)
class Whitening:
    """A linear map from d given columns to r < d uncorrelated ones.

    Attributes:
        centre: Means of the known rows, shape (d,).
        basis: Principal axes in the given columns, scaled, shape (d, r).
    """

    centre: FloatArray
    basis: FloatArray

    @classmethod
    def of(cls, table: FloatArray, known: BoolArray, rank: int) -> "Whitening":
        """Learn the map from the known rows of `table`, shape (P, d), to at most `rank` columns.

        A known row has a mean square of 1 over the r columns, on average. The cost is that of a
        d x d eigen-decomposition.
        """
        rows = table[known]
        d = table.shape[1]
        if not len(rows) or not d:
            return cls(np.zeros(d), np.zeros((d, 0)))
        centre = rows.mean(axis=0)
        spread = rows.std(axis=0)
        varied = spread > _FLAT
        usual = float(np.median(spread[varied])) if varied.any() else 1.0
        scale = np.where(varied, 1.0 / np.maximum(spread, _WIDEST * usual), 0.0)
        covariance = np.cov((rows - centre) * scale, rowvar=False, bias=True).reshape(d, d)
        variance, axes = np.linalg.eigh(covariance)
        kept = np.argsort(-variance, kind="stable")[:rank]
        kept = kept[variance[kept] > max(variance.max(), 0.0) * 1e-9 + _FLAT]
        size = np.sqrt(len(kept) / variance[kept].sum()) if len(kept) else 1.0
        return cls(centre, scale[:, None] * axes[:, kept] * size)

    def __call__(self, table: FloatArray, known: BoolArray) -> FloatArray:
        """The rows in the new columns, shape (P, r); zeros where unknown."""
        mapped: FloatArray = ((table - self.centre) @ self.basis) * known[:, None]
        return mapped


@dataclass(frozen=True, slots=True)
class Whitenings:
    """The maps of perturbagens and of contexts."""

    perturbagens: Whitening
    contexts: Whitening

    @classmethod
    def of(cls, representations: Representations, rank: int) -> "Whitenings":
        """Learn both."""
        every = np.ones(len(representations.contexts), dtype=bool)
        known = np.asarray(representations.known, dtype=bool)
        return cls(
            Whitening.of(representations.perturbagens, known, rank),
            Whitening.of(representations.contexts, every, rank),
        )

    def context_columns(self, representations: Representations) -> FloatArray:
        """All C contexts in their new columns, shape (C, c)."""
        every = np.ones(len(representations.contexts), dtype=bool)
        return self.contexts(representations.contexts, every)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Both maps as plain arrays."""
        return {
            "whitening.perturbagens.centre": self.perturbagens.centre,
            "whitening.perturbagens.basis": self.perturbagens.basis,
            "whitening.contexts.centre": self.contexts.centre,
            "whitening.contexts.basis": self.contexts.basis,
        }

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> "Whitenings":
        """The inverse of `arrays`."""
        maps = [
            Whitening(
                arrays[f"whitening.{noun}.centre"].astype(np.float64),
                arrays[f"whitening.{noun}.basis"].astype(np.float64),
            )
            for noun in ("perturbagens", "contexts")
        ]
        return cls(*maps)
