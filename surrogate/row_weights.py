"""How much each mean counts: by its replicates, and by how far they were apart.

The variance between three replicates says little; shrunk towards that of all rows it says as much
as it can (empirical Bayes by Smyth, 2004: the variances have a scaled inverse chi-square prior,
whose two parameters follow from the mean and variance of their logarithms).
"""

import numpy as np
import torch

from loop.ports.arrays import BoolArray, FloatArray, TrainingSet

_LEAST_WELLS = 3
_ENOUGH_ROWS = 30
_LARGEST_FACTOR = 4.0


def row_weights(training: TrainingSet) -> FloatArray:
    """Weight of each value in wells of the usual noise, shape (n, m); 0 where it is missing.

    The number of replicates, times the usual variance over the row's own (shrunk), at most four
    times more or less. Where fewer than 30 rows of a readout have three replicates, or their
    variances differ no more than by chance, the number of replicates alone.
    """
    there = np.isfinite(training.values)
    wells = np.where(there, np.maximum(training.replicates, 1), 0)
    told = there & (wells >= _LEAST_WELLS) & (np.nan_to_num(training.spread) > 0)
    weights = wells.astype(np.float64)
    for readout in range(weights.shape[1]):
        rows = told[:, readout]
        if rows.sum() >= _ENOUGH_ROWS:
            weights[:, readout] *= _factors(training, readout, rows)
    return weights


def _factors(training: TrainingSet, readout: int, rows: BoolArray) -> FloatArray:
    """The usual variance over each row's own, shape (n,); 1 where nothing is told."""
    variances = training.spread[rows, readout] ** 2
    freedom = training.replicates[rows, readout] - 1.0
    prior_freedom, usual = shrinkage(variances, freedom)
    factors = np.ones(len(rows))
    if np.isfinite(prior_freedom):
        own = (prior_freedom * usual + freedom * variances) / (prior_freedom + freedom)
        factors[rows] = np.clip(usual / own, 1 / _LARGEST_FACTOR, _LARGEST_FACTOR)
    return factors


def shrinkage(variances: FloatArray, freedom: FloatArray) -> tuple[float, float]:
    """Degrees of freedom and location of the prior of some variances, by Smyth's moments.

    The freedom is infinite where the variances differ no more than chance would have it.

    Args:
        variances: Positive, shape (n,).
        freedom: Degrees of freedom of each, shape (n,).
    """
    half = freedom / 2
    logs = np.log(variances) - _digamma(half) + np.log(half)
    beyond = float(logs.var(ddof=1) - _trigamma(half).mean())
    if beyond <= 0:
        return np.inf, float(np.exp(logs.mean()))
    prior = 2 * _trigamma_inverse(beyond)
    middle = _digamma(np.array([prior / 2]))[0] - np.log(prior / 2)
    return prior, float(np.exp(logs.mean() + middle))


def _digamma(values: FloatArray) -> FloatArray:
    answer: FloatArray = torch.digamma(torch.as_tensor(values)).numpy()
    return answer


def _trigamma(values: FloatArray) -> FloatArray:
    answer: FloatArray = torch.polygamma(1, torch.as_tensor(values)).numpy()
    return answer


def _trigamma_inverse(value: float) -> float:
    """Where the trigamma function has this value, by bisection; it falls from infinity to 0."""
    low, high = 1e-6, 1e6
    for _ in range(100):
        middle = (low * high) ** 0.5
        if _trigamma(np.array([middle]))[0] > value:
            low = middle
        else:
            high = middle
    return float((low * high) ** 0.5)
