"""Is a belief honest? What its 90 % interval must be for 90 % of the wells to lie in it.

Two things are learned (decision 0007). *How wide*: one split-conformal quantile on out-of-fold
predictions of audit wells, which evidence A2 shows to give the stated coverage of the whole space
where chosen wells do not (Papadopoulos et al. 2002, "Inductive confidence machines"; ours differs
in that the predictions are out of fold, so that no well is held out of training). *How much wider
where a large effect is predicted*: a factor that grows with the predicted effect, a smooth form
of Mondrian intervals (Vovk et al. 2005), learned from audit wells and from wells that an earlier
surrogate had predicted before they were measured, and drawn to what is usual on other screens.
"""

import math
from dataclasses import dataclass

import numpy as np

from loop.ports.arrays import FloatArray

LEVEL = 0.9
NORMAL_QUANTILE = 1.6448536269514722
LEAST_WELLS = 20
USUAL_GROWTH = 1.4
"""Intervals at the largest effects / elsewhere, before a campaign's own wells tell (0007)."""
_USUAL_COUNTS_FOR = 20.0
_MOST_GROWTH = 4.0
_LEAST_SEEN = 0.2
_GROWS_FROM = 1.0
_GROWN_AT = 2.5
_FOLDS = 5
_LEAST = 1e-3
_OWN_SHARE = 2.0
_FREEDOM = 4.0
_TAILED_SCALE = 0.8310034937777917
"""Scale of the t density with 4 degrees of freedom that fits a normal one of SD 1 best."""
_TAILED_CONSTANT = 0.9808292530117257
_STEPS = 200


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far to trust a surrogate's SD about one readout.

    Attributes:
        temperature: Calibrated SD / SD, where an ordinary effect is predicted.
        quantile: Half-width of the 90 % interval there, in SDs.
        wells: How many wells it was learned from; 0 where there were too few, and then the
            surrogate's own SD and a normal quantile stand.
        centre: The mean of all candidates' predictions, from which effects are counted.
        reach: The root mean square of predicted effects, their unit.
        below: How much wider intervals are where a large effect downwards is predicted.
        above: The same upwards.
    """

    temperature: float = 1.0
    quantile: float = NORMAL_QUANTILE
    wells: int = 0
    centre: float = 0.0
    reach: float = 1.0
    below: float = 1.0
    above: float = 1.0

    def standing(self, mean: FloatArray) -> FloatArray:
        """Predicted effects, signed, in units of what is usual on this screen; any shape."""
        standing: FloatArray = (mean - self.centre) / self.reach
        return standing

    def growth(self, mean: FloatArray) -> FloatArray:
        """What SDs and intervals are widened by where `mean` is predicted; the same shape.

        1 up to a standing of 1, `below` or `above` from 2.5 on, a straight line in between.
        """
        return _growth(self.standing(mean), self.below, self.above)


@dataclass(frozen=True, slots=True)
class Foretold:
    """Wells as they were predicted by a surrogate that had not learned from them.

    Attributes:
        standing: Predicted effects in the units of that surrogate's `Calibration`, shape (h,).
        error: |value - mean| / SD of that prediction, shape (h,); NaN where there is no value.
    """

    standing: FloatArray
    error: FloatArray


NOTHING_FORETOLD = Foretold(np.zeros(0), np.zeros(0))


def calibrate(
    values: FloatArray, mean: FloatArray, sd: FloatArray, foretold: Foretold = NOTHING_FORETOLD
) -> Calibration:
    """Learn from n wells that judge, values and out-of-fold predictions each of shape (n,).

    `foretold` tells of large effects only: chosen wells are no measure of the others.
    """
    if len(values) < LEAST_WELLS:
        return Calibration()
    centre = float(mean.mean())
    # Out of fold, a surrogate that knows nothing still predicts a little less where a value is
    # high, by 1 / n of it: no effect. Counted as one, it would explain every error.
    least = _OWN_SHARE / len(values) * float(np.median(sd))
    reach = max(float(np.sqrt(np.mean((mean - centre) ** 2))), least, np.finfo(float).tiny)
    standing, error = (mean - centre) / reach, np.abs(values - mean) / sd
    there = np.isfinite(foretold.error)
    everywhere = np.concatenate([standing, foretold.standing[there]])
    errors = np.concatenate([error, foretold.error[there]])
    ordinary = _weighted_quantile(error, 1 - _largeness(standing))
    below, above = (
        _side(everywhere[side], errors[side], ordinary) for side in (everywhere < 0, everywhere > 0)
    )
    error = error / _growth(standing, below, above)
    return Calibration(
        temperature=max(_LEAST, tailed_scale(error)),
        quantile=max(_LEAST, _conformal(error)),
        wells=len(values),
        centre=centre,
        reach=reach,
        below=below,
        above=above,
    )


def _largeness(standing: FloatArray) -> FloatArray:
    """0 for an ordinary predicted effect, 1 for a large one."""
    ramp = (np.abs(standing) - _GROWS_FROM) / (_GROWN_AT - _GROWS_FROM)
    return np.clip(ramp, 0.0, 1.0)


def _growth(standing: FloatArray, below: float, above: float) -> FloatArray:
    grown: FloatArray = 1 + (np.where(standing < 0, below, above) - 1) * _largeness(standing)
    return grown


def _side(standing: FloatArray, error: FloatArray, ordinary: float) -> float:
    """How much wider large effects of one sign need to be; the usual counts for 20 wells.

    Each well says what growth would just have held it; nine tenths of them are to be held.
    """
    weight = _largeness(standing)
    large = weight > 0
    wells = float(weight.sum())
    if wells == 0 or ordinary <= 0:
        return USUAL_GROWTH
    needed = 1 + (error[large] / ordinary - 1) / weight[large]
    seen = max(_LEAST_SEEN, _weighted_quantile(needed, weight[large]))
    told = wells * math.log(seen) + _USUAL_COUNTS_FOR * math.log(USUAL_GROWTH)
    return min(_MOST_GROWTH, max(1.0, math.exp(told / (wells + _USUAL_COUNTS_FOR))))


def _weighted_quantile(error: FloatArray, weight: FloatArray) -> float:
    order = np.argsort(error, kind="stable")
    reached = np.cumsum(weight[order])
    place = int(np.searchsorted(reached, LEVEL * reached[-1]))
    return float(error[order][min(place, len(error) - 1)])


def _conformal(error: FloatArray) -> float:
    rank = math.ceil((len(error) + 1) * LEVEL)
    return float(np.sort(error)[min(rank, len(error)) - 1])


def tailed_scale(error: FloatArray) -> float:
    """The most likely SD of errors (n,) under `tailed_nll`; a few wild ones hardly move it.

    0 if half of the errors or more are 0.
    """
    square = np.asarray(error, dtype=np.float64) ** 2
    spread = float(np.median(square))
    for _ in range(_STEPS):
        if spread < np.finfo(float).tiny:
            return 0.0
        last, spread = (
            spread,
            float(np.mean((_FREEDOM + 1) * square / (_FREEDOM + square / spread))),
        )
        if abs(spread - last) <= 1e-9 * last:
            break
    return math.sqrt(spread) / _TAILED_SCALE


def cross_coverage(values: FloatArray, mean: FloatArray, sd: FloatArray) -> float | None:
    """Share of values inside 90 % intervals whose width was learned on the other folds.

    None where there are too few wells to tell.
    """
    n = len(values)
    if n < LEAST_WELLS * _FOLDS / (_FOLDS - 1):
        return None
    fold = np.arange(n) % _FOLDS
    error = np.abs(values - mean) / sd
    inside = sum(
        int((error[fold == each] <= _conformal(error[fold != each])).sum())
        for each in range(_FOLDS)
    )
    return inside / n


def tailed_nll(values: FloatArray, mean: FloatArray, sd: FloatArray) -> FloatArray:
    """Negative log density of each value under a belief with heavy tails, in nats, shape (n,).

    The density is Student's t with 4 degrees of freedom, as wide as a normal one of this SD. On
    every screen it is closer to the truth than a normal density, by 0.01 to 0.2 nats a well and
    by more where audit wells are few (decision 0007), and no single well decides a comparison:
    a value z SDs off costs about 5 log z, not z^2 / 2.
    """
    scale = _TAILED_SCALE * sd
    square = ((values - mean) / scale) ** 2
    score: FloatArray = (
        0.5 * (_FREEDOM + 1) * np.log1p(square / _FREEDOM) + np.log(scale) + _TAILED_CONSTANT
    )
    return score


def tailed_quantile(level: float) -> float:
    """Half-width of the central interval that holds `level` of that density, in SDs."""
    from scipy.special import stdtrit

    return _TAILED_SCALE * float(stdtrit(_FREEDOM, 0.5 * (1 + level)))
