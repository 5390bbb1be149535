"""Is a belief honest? One temperature and one conformal quantile, on wells drawn at random.

Intervals are split-conformal on out-of-fold predictions of audit wells, which evidence A2 shows
to give the stated coverage of the whole space where chosen wells do not. Source: Papadopoulos
et al. 2002, "Inductive confidence machines", with |y - mean| / sd as the score; ours differs in
that the predictions are out of fold, so that no well is held out of training.
"""

import math
from dataclasses import dataclass

import numpy as np

from loop.ports.arrays import FloatArray

LEVEL = 0.9
NORMAL_QUANTILE = 1.6448536269514722
LEAST_WELLS = 20
_FOLDS = 5
_LEAST = 1e-3


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far to trust a surrogate's SD.

    Attributes:
        temperature: Calibrated SD / SD.
        quantile: Half-width of the 90 % interval, in SDs.
        wells: How many wells it was learned from; 0 where there were too few, and then the
            surrogate's own SD and a normal quantile stand.
    """

    temperature: float = 1.0
    quantile: float = NORMAL_QUANTILE
    wells: int = 0


def calibrate(values: FloatArray, mean: FloatArray, sd: FloatArray) -> Calibration:
    """Learn from n measured values and their out-of-fold predictions, each of shape (n,)."""
    if len(values) < LEAST_WELLS:
        return Calibration()
    ratio = np.abs(values - mean) / sd
    rank = math.ceil((len(ratio) + 1) * LEVEL)
    return Calibration(
        temperature=max(_LEAST, float(np.sqrt(np.mean(ratio**2)))),
        quantile=max(_LEAST, float(np.sort(ratio)[min(rank, len(ratio)) - 1])),
        wells=len(ratio),
    )


def cross_coverage(values: FloatArray, mean: FloatArray, sd: FloatArray) -> float | None:
    """Share of values inside 90 % intervals that were calibrated on the other folds.

    None where there are too few wells to tell.
    """
    n = len(values)
    if n < LEAST_WELLS * _FOLDS / (_FOLDS - 1):
        return None
    fold = np.arange(n) % _FOLDS
    inside = 0
    for each in range(_FOLDS):
        rest, held = fold != each, fold == each
        quantile = calibrate(values[rest], mean[rest], sd[rest]).quantile
        inside += int((np.abs(values[held] - mean[held]) <= quantile * sd[held]).sum())
    return inside / n


def gaussian_nll(values: FloatArray, mean: FloatArray, sd: FloatArray) -> FloatArray:
    """Negative log density of each value under a normal belief, in nats, shape (n,)."""
    score: FloatArray = 0.5 * ((values - mean) / sd) ** 2 + np.log(sd) + 0.5 * math.log(2 * math.pi)
    return score
