"""How well beliefs, held before measuring, compare with what was measured."""

import numpy as np
from scipy.stats import rankdata

from loop.calibration import tailed_nll
from loop.ports.arrays import BoolArray, FloatArray, IntArray

FAR = 3.0
_LEAST_FREEDOM = 10


def rmse(values: FloatArray, mean: FloatArray) -> float | None:
    """Root mean squared error; None of nothing."""
    return float(np.sqrt(np.mean((values - mean) ** 2))) if len(values) else None


def spearman(values: FloatArray, mean: FloatArray) -> float | None:
    """Rank correlation; None with fewer than three values or without any spread."""
    if len(values) < 3 or np.ptp(values) == 0 or np.ptp(mean) == 0:
        return None
    return float(np.corrcoef(rankdata(values), rankdata(mean))[0, 1])


def nll(values: FloatArray, mean: FloatArray, sd: FloatArray) -> float | None:
    """Mean negative log likelihood under `calibration.tailed_nll` in nats; None of nothing."""
    return float(tailed_nll(values, mean, sd).mean()) if len(values) else None


def share(inside: BoolArray) -> float | None:
    """The share that is true; None of nothing."""
    return float(inside.mean()) if len(inside) else None


def far_out(values: FloatArray, mean: FloatArray, sd: FloatArray) -> float | None:
    """The share more than three calibrated SDs off (a normal belief: 0.0027); None of nothing."""
    return share(np.abs(values - mean) > FAR * sd)


def replicate_sd(replicates: IntArray, spread: FloatArray) -> float | None:
    """The pooled SD between replicates of one readout; None below ten degrees of freedom.

    Args:
        replicates: Wells behind each value, shape (n,).
        spread: SD between them, shape (n,), NaN where there are fewer than two.
    """
    freedom = np.where(np.isfinite(spread), replicates - 1, 0)
    if freedom.sum() < _LEAST_FREEDOM:
        return None
    return float(np.sqrt((freedom * np.nan_to_num(spread) ** 2).sum() / freedom.sum()))
