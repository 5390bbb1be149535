"""What the members that did not see a well would have said of it, and what that teaches.

Bagging gives every well a jury of members that never saw it. Their mean is an honest prediction,
so it tells how far predictions should be trusted and how much noise is left.
"""

from dataclasses import dataclass

import numpy as np

from loop.ports.arrays import BoolArray, FloatArray, IntArray

_LEAST_TRUST = 0.1
_BELIEF_IN_TRUST = 4.0
_ENOUGH_REPLICATES = 10
_LEAST_VARIANCE = 1e-4


@dataclass(frozen=True, slots=True)
class Jury:
    """Out-of-bag mean and variance between members, each (n, m), in standard units.

    A well that fewer than two members left out has the prior: mean 0, variance 1.
    """

    mean: FloatArray
    variance: FloatArray


@dataclass(frozen=True, slots=True)
class Reliability:
    """How good predictions are, each of shape (m,), in standard units.

    Attributes:
        trust: Factor on every member's deviation from the mean readout, in (0, 1].
        noise: SD of one well about its truth.
        misfit: SD of the truth about the members' mean that their spread does not explain; 0
            where there are no replicates to tell it from noise.
    """

    trust: FloatArray
    noise: FloatArray
    misfit: FloatArray


def out_of_bag(predicted: FloatArray, seen: BoolArray) -> Jury:
    """The jury of each row.

    Args:
        predicted: Every member's prediction of every row, shape (M, n, m).
        seen: Which member learned from which row, shape (M, n).
    """
    judges = (~seen)[:, :, None]
    count = judges.sum(axis=0)
    mean = np.where(judges, predicted, 0.0).sum(axis=0) / np.maximum(count, 1)
    squares = np.where(judges, (predicted - mean) ** 2, 0.0).sum(axis=0)
    variance = squares / np.maximum(count - 1, 1)
    few = count < 2
    return Jury(np.where(few, 0.0, mean), np.where(few, 1.0, variance))


def reliability(
    jury: Jury, standard: FloatArray, replicates: IntArray, spread: FloatArray
) -> Reliability:
    """Learn trust, noise and misfit from the jury.

    Args:
        jury: The out-of-bag predictions.
        standard: Values in standard units, shape (n, m), NaN where missing.
        replicates: Wells behind each value, shape (n, m).
        spread: SD between replicates in standard units, shape (n, m), NaN where unknown.
    """
    there = np.isfinite(standard)
    values = np.where(there, standard, 0.0)
    trust = _trust(jury.mean * there, values)
    left = np.where(there, (values - trust * jury.mean) ** 2 - trust**2 * jury.variance, 0.0)
    wells = np.where(there, np.maximum(replicates, 1), 1)
    variance, replicated = _noise_variance(left * wells, wells, spread, there)
    over = np.where(there, left - variance / wells, 0.0).sum(axis=0)
    misfit = np.where(replicated, over / np.maximum(there.sum(axis=0), 1), 0.0)
    return Reliability(trust, np.sqrt(variance), np.sqrt(np.maximum(misfit, 0.0)))


def _trust(predicted: FloatArray, values: FloatArray) -> FloatArray:
    """Slope of what was measured on what the jury said, by least squares with 1 as the prior.

    The prior's SD is a half, in units of the values' own spread.
    """
    variance = np.mean(values**2, axis=0) + 1e-9
    along = (predicted * values).sum(axis=0) / variance
    square = (predicted**2).sum(axis=0) / variance
    slope = (along + _BELIEF_IN_TRUST) / (square + _BELIEF_IN_TRUST)
    bounded: FloatArray = np.clip(slope, _LEAST_TRUST, 1.0)
    return bounded


def _noise_variance(
    left: FloatArray, wells: IntArray, spread: FloatArray, there: BoolArray
) -> tuple[FloatArray, BoolArray]:
    """Variance of one well, and whether replicates told it, each (m,).

    It is the pooled variance between replicates if there are enough of them; if not, all that is
    left over (`left`, each row's as of one well) is called noise. One value or none teaches
    nothing: then it is 1, the readout's own variance.
    """
    freedom = np.where(there & np.isfinite(spread), wells - 1, 0)
    pooled = (freedom * np.nan_to_num(spread) ** 2).sum(axis=0)
    replicated = freedom.sum(axis=0) >= _ENOUGH_REPLICATES
    count = there.sum(axis=0)
    over = np.where(count > 1, left.sum(axis=0) / np.maximum(count, 1), 1.0)
    variance = np.where(replicated, pooled / np.maximum(freedom.sum(axis=0), 1), over)
    return np.maximum(variance, _LEAST_VARIANCE), replicated
