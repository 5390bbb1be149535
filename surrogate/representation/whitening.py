"""URs made fit for learning: centred, rotated to principal components, and shortened.

Components keep their own variances. Giving them equal variances, or the columns equal SDs, made
prediction from a few hundred wells of a real pair screen clearly worse: in embeddings the early
components carry the signal. Only columns much wider than the usual one (another unit) are tamed.
Several views are joined as `surrogate.representation.joint` says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from loop.ports.arrays import BoolArray, FloatArray, IntArray, Representations
from surrogate.representation.joint import join, penalty, principal, scores, tamed


def _none() -> FloatArray:
    return np.zeros(0)


@dataclass(frozen=True, slots=True)
class Whitening:
    """A linear map from d given columns to r < d uncorrelated ones.

    Attributes:
        centre: Means of the known rows, shape (d,).
        basis: Principal axes in the given columns, scaled, shape (d, r).
        widths: Columns of each of V views, shape (V,); empty: one view.
        scale: What centred columns are multiplied by within `basis`, shape (d,); empty for one.
        ridge: For each component, by how much a row with gaps is shrunk, shape (r,); empty for
            one.
    """

    centre: FloatArray
    basis: FloatArray
    widths: FloatArray = field(default_factory=_none)
    scale: FloatArray = field(default_factory=_none)
    ridge: FloatArray = field(default_factory=_none)

    @classmethod
    def of(
        cls, table: FloatArray, known: BoolArray, rank: int, widths: IntArray | None = None
    ) -> "Whitening":
        """Learn the map from the known rows of `table`, shape (P, d), to at most `rank` columns.

        `known` has shape (P,), or (P, V) for views of `widths`, shape (V,). A known row has a mean
        square of 1 over the r columns, on average. The cost is that of a few d x d
        eigen-decompositions.
        """
        d = table.shape[1]
        covered = np.asarray(_by_view(known).any(axis=1))
        if not covered.any() or not d:
            return cls(np.zeros(d), np.zeros((d, 0)))
        if widths is not None and len(widths) > 1:
            return cls._of_views(table, known, rank, widths)
        rows = table[covered]
        centre = rows.mean(axis=0)
        scale = tamed(rows.std(axis=0))
        covariance = np.cov((rows - centre) * scale, rowvar=False, bias=True).reshape(d, d)
        variances, axes = principal(covariance, rank)
        return cls(centre, scale[:, None] * axes * _size(variances.sum(), len(variances)))

    @classmethod
    def _of_views(
        cls, table: FloatArray, known: BoolArray, rank: int, widths: IntArray
    ) -> "Whitening":
        learned = join(table, known, widths, rank)
        ridge = penalty(learned)
        rows = np.where(np.repeat(known, widths, axis=1), table - learned.centre, 0.0)
        found = scores(rows * learned.scale, known, widths, learned.axes, ridge)
        total = float((found[known.any(axis=1)] ** 2).sum(axis=1).mean())
        size = _size(total, len(ridge))
        basis = learned.scale[:, None] * learned.axes * size
        return cls(learned.centre, basis, widths.astype(np.float64), learned.scale, ridge)

    def __call__(self, table: FloatArray, known: BoolArray) -> FloatArray:
        """The rows in the new columns, shape (P, r); zeros where unknown.

        `known` has shape (P,), or (P, V); a row that some views do not know is completed by those
        that do.
        """
        views = _by_view(known)
        if len(self.widths) < 2:
            known = np.asarray(views.any(axis=1))
            mapped: FloatArray = ((table - self.centre) @ self.basis) * known[:, None]
            return mapped
        widths = self.widths.astype(np.int64)
        views = np.broadcast_to(views, (len(table), len(widths)))
        rows = np.where(np.repeat(views, widths, axis=1), table - self.centre, 0.0) * self.scale
        varied = self.scale > 0
        axes = np.zeros_like(self.basis)
        axes[varied] = self.basis[varied] / self.scale[varied, None]
        size = np.sqrt((axes**2).sum(axis=0))
        joined: FloatArray = scores(rows, views, widths, axes / size, self.ridge) * size
        return joined


def _by_view(known: BoolArray) -> BoolArray:
    return known[:, None] if known.ndim == 1 else known


def _size(total: float, columns: int) -> float:
    """The factor that makes rows of this mean sum of squares have 1 a column."""
    return float(np.sqrt(columns / total)) if columns else 1.0


@dataclass(frozen=True, slots=True)
class Whitenings:
    """The maps of perturbagens and of contexts."""

    perturbagens: Whitening
    contexts: Whitening

    @classmethod
    def of(cls, representations: Representations, rank: int) -> "Whitenings":
        """Learn both."""
        every = np.ones(len(representations.contexts), dtype=bool)
        widths = np.array([view.width for view in representations.views], dtype=np.int64)
        known = known_views(representations)
        return cls(
            Whitening.of(representations.perturbagens, known, rank, widths),
            Whitening.of(representations.contexts, every, rank),
        )

    def perturbagen_columns(self, representations: Representations) -> FloatArray:
        """All P perturbagens in their new columns, shape (P, r); zeros where unknown."""
        return self.perturbagens(representations.perturbagens, known_views(representations))

    def context_columns(self, representations: Representations) -> FloatArray:
        """All C contexts in their new columns, shape (C, c)."""
        # Snapshots of version 0.1 knew contexts by URs alone; identity now stands beside them.
        given = representations.contexts[:, : len(self.contexts.centre)]
        return self.contexts(given, np.ones(len(given), dtype=bool))

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Both maps as plain arrays."""
        own = self.perturbagens
        views: dict[str, npt.NDArray[np.generic]] = {
            "whitening.perturbagens.widths": own.widths,
            "whitening.perturbagens.scale": own.scale,
            "whitening.perturbagens.ridge": own.ridge,
        }
        return {
            "whitening.perturbagens.centre": own.centre,
            "whitening.perturbagens.basis": own.basis,
            "whitening.contexts.centre": self.contexts.centre,
            "whitening.contexts.basis": self.contexts.basis,
            **(views if len(own.widths) else {}),
        }

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> "Whitenings":
        """The inverse of `arrays`; what only several views have may be absent."""
        maps = [
            Whitening(
                *(
                    arrays.get(f"whitening.{noun}.{part}", _none()).astype(np.float64)
                    for part in ("centre", "basis", "widths", "scale", "ridge")
                )
            )
            for noun in ("perturbagens", "contexts")
        ]
        return cls(*maps)


def known_views(representations: Representations) -> BoolArray:
    """Which views know each perturbagen, shape (P, V); one column where views are not told."""
    columns = [view.known for view in representations.views] or [representations.known]
    return np.stack([np.asarray(each, dtype=bool) for each in columns], axis=1)
