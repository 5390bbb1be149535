"""Several views of the same rows as one table of principal components, learned around gaps.

Each view is centred over the rows that it knows and scaled so that all views have the same mean
square. Then scores and gaps are learned in turns: principal components of the filled table, and
each gap as the components expect it from what is known of the row, which is ridge regression on
the other views in r dimensions (probabilistic PCA with missing values: Tipping and Bishop, 1999;
Ilin and Raiko, 2010).
"""

from dataclasses import dataclass

import numpy as np

from loop.ports.arrays import BoolArray, FloatArray, IntArray

FLAT = 1e-12
WIDEST = 4.0
_ANOTHER_UNIT = 10.0
_SWEEPS = 3


@dataclass(frozen=True, slots=True)
class Joint:
    """What several views have in common.

    Attributes:
        centre: Means over the rows that know a column, shape (d,).
        scale: What a centred column is multiplied by, shape (d,); 0 where it never varies.
        axes: Principal axes of the scaled columns, orthonormal, shape (d, r).
        variances: Of the scores on these axes, shape (r,), falling.
        noise: Variance of a scaled column around what the axes say of it.
    """

    centre: FloatArray
    scale: FloatArray
    axes: FloatArray
    variances: FloatArray
    noise: float


def tamed(spread: FloatArray) -> FloatArray:
    """Factors for columns of such SDs: alike, but smaller for one much wider than the usual."""
    return np.where(spread > FLAT, 1.0 / np.maximum(spread, WIDEST * _usual(spread)), 0.0)


def _usual(spread: FloatArray) -> float:
    varied = spread > FLAT
    return float(np.median(spread[varied])) if varied.any() else 1.0


def principal(covariance: FloatArray, rank: int) -> tuple[FloatArray, FloatArray]:
    """Variances (r,), falling, and axes (d, r) of at most `rank` components that vary at all."""
    variance, axes = np.linalg.eigh(covariance)
    kept = np.argsort(-variance, kind="stable")[:rank]
    kept = kept[variance[kept] > max(variance.max(), 0.0) * 1e-9 + FLAT]
    return variance[kept], axes[:, kept]


def join(table: FloatArray, known: BoolArray, widths: IntArray, rank: int) -> Joint:
    """Learn from the rows of `table`, shape (P, d), that views `known`, shape (P, V), cover.

    The cost is that of a few eigen-decompositions, d x d or P x P, whichever is smaller.
    """
    centre, scale = _centre_and_scale(table, known, widths)
    rows = known.any(axis=1)
    there = np.repeat(known[rows], widths, axis=1)
    scaled = np.where(there, (table[rows] - centre) * scale, 0.0)
    filled = scaled
    for _ in range(_SWEEPS):
        variances, axes = _components(filled, rank)
        spare = max(table.shape[1] - len(variances), 1)
        noise = max(float((filled**2).sum(axis=1).mean() - variances.sum()), 0.0) / spare
        learned = Joint(centre, scale, axes, variances, noise)
        if known[rows].all():
            break
        expected = scores(scaled, known[rows], widths, axes, penalty(learned)) @ axes.T
        filled = np.where(there, scaled, expected)
    return learned


def penalty(learned: Joint) -> FloatArray:
    """The ridge of each component, shape (r,): noise over variance."""
    return learned.noise / learned.variances


def scores(
    scaled: FloatArray, known: BoolArray, widths: IntArray, axes: FloatArray, ridge: FloatArray
) -> FloatArray:
    """The components of scaled rows, shape (P, r), from the views that know each, (P, V).

    A row that all views know is projected; one that lacks some has the ridge regression of its
    scores on what there is; one that no view knows has zeros.
    """
    found = scaled @ axes
    patterns, which = np.unique(known, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        if pattern.all():
            continue
        own = axes[np.repeat(pattern, widths)]
        gram = own.T @ own + np.diag(np.maximum(ridge, FLAT))
        rows = which.reshape(-1) == number
        found[rows] = np.linalg.solve(gram, found[rows].T).T if pattern.any() else 0.0
    return found


def _centre_and_scale(
    table: FloatArray, known: BoolArray, widths: IntArray
) -> tuple[FloatArray, FloatArray]:
    centres, scales = [], []
    ends = np.cumsum(widths)
    for covered, end, width in zip(known.T, ends, widths, strict=True):
        rows = table[covered, end - width : end]
        if not len(rows):
            centres.append(np.zeros(width))
            scales.append(np.zeros(width))
            continue
        spread = rows.std(axis=0)
        usual = _usual(spread)
        # A view's size is taken before its wide columns are tamed, or the rest would be turned up
        # for it; but not from columns so wide that they must be in another unit.
        size = np.sqrt((np.minimum(spread, _ANOTHER_UNIT * usual) ** 2).sum())
        centres.append(rows.mean(axis=0))
        scales.append(tamed(spread) * WIDEST * usual / max(float(size), FLAT))
    return np.concatenate(centres), np.concatenate(scales)


def _components(rows: FloatArray, rank: int) -> tuple[FloatArray, FloatArray]:
    """Principal components of centred rows by the smaller of their two square matrices."""
    count, d = rows.shape
    if count >= d:
        return principal(rows.T @ rows / count, rank)
    variances, sides = principal(rows @ rows.T / count, rank)
    return variances, rows.T @ sides / np.sqrt(count * variances)
