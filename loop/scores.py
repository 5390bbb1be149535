"""How well beliefs, held before measuring, compare with what was measured."""

import numpy as np
from scipy.stats import rankdata

from loop.calibration import gaussian_nll
from loop.ports.arrays import BoolArray, FloatArray


def rmse(values: FloatArray, mean: FloatArray) -> float | None:
    """Root mean squared error; None of nothing."""
    return float(np.sqrt(np.mean((values - mean) ** 2))) if len(values) else None


def spearman(values: FloatArray, mean: FloatArray) -> float | None:
    """Rank correlation; None with fewer than three values or without any spread."""
    if len(values) < 3 or np.ptp(values) == 0 or np.ptp(mean) == 0:
        return None
    return float(np.corrcoef(rankdata(values), rankdata(mean))[0, 1])


def nll(values: FloatArray, mean: FloatArray, sd: FloatArray) -> float | None:
    """Mean Gaussian negative log likelihood in nats; None of nothing."""
    return float(gaussian_nll(values, mean, sd).mean()) if len(values) else None


def share(inside: BoolArray) -> float | None:
    """The share that is true; None of nothing."""
    return float(inside.mean()) if len(inside) else None
