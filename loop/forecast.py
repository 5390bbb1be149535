"""What the next batch will bring: hits, or how far past the best so far, with a 90 % interval.

A number of hits is uncertain in four ways, and all of them are drawn: each well may or may not
pass; the surrogate's doubt moves many wells together (its joint draws say how much); the
surrogate as a whole promises too much or too little (what came of its earlier promises says how
much); and the rate of hits by lot is known from so many audit wells only.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from loop.domain.batch import Forecast
from loop.domain.goal import Readout
from loop.ports.arrays import FloatArray

HITS = "hits"
ENOUGH_BY_LOT = 20
"""So many audit wells tell the rate of hits by lot; with fewer the surrogate is asked."""
FIRST_MISJUDGEMENT = 1.1
"""SD of log(hits that came / hits promised) in the first chosen round, after wells by lot alone."""
LATER_MISJUDGEMENT = 0.42
"""SD of the same in later rounds, beyond what counting hits explains, before any tells."""
SHARED_MISJUDGEMENT = 0.32
"""SD between campaigns of what the later rounds of one have in common of it.

These were set on replays of nine screens so that nine tenths of all intervals held what came
(`docs/propose.md`). What came of the first round tells nothing of the later ones, because the
surrogate learns from it.
"""
USUAL_SHIFT = -0.15
"""Mean of that logarithm in later rounds: what is chosen for its promise promises too much."""
_USUAL_COUNTS_FOR = 1
_JEFFREYS = 0.5
_DRAWS = 10_000
_LOW, _HIGH = 0.05, 0.95


@dataclass(frozen=True, slots=True)
class Promise:
    """What chosen wells of an earlier round were to bring, and what they brought.

    `expected` is the sum of their chances of a hit as believed before; `came` counts hits.
    """

    expected: float
    came: int


@dataclass(frozen=True, slots=True)
class ByLot:
    """How often a well drawn by lot is a hit, as a beta distribution.

    `above` and `below` are its two parameters; `measured` whether audit wells told.
    """

    above: float
    below: float
    measured: bool

    @property
    def rate(self) -> float:
        """The mean."""
        return self.above / (self.above + self.below)


def by_lot(hits: int, wells: int, chances: FloatArray) -> ByLot | None:
    """The rate of hits by lot.

    Args:
        hits: Hits among all audit wells measured so far.
        wells: How many these are.
        chances: What the surrogate believes of audit wells that are not measured yet: each
            one's chance of a hit, shape (a,). Asked while fewer than 20 are measured.

    Returns:
        None where there is nothing to go by.
    """
    if wells >= ENOUGH_BY_LOT:
        return ByLot(hits + _JEFFREYS, wells - hits + _JEFFREYS, True)
    if len(chances):
        # As sure of it as the wells measured and asked about together would make one.
        known = wells + len(chances)
        above = hits + float(chances.sum())
        return ByLot(above + _JEFFREYS, known - above + _JEFFREYS, False)
    return None


def chances(mean: FloatArray, sd: FloatArray, readout: Readout) -> FloatArray:
    """P(a measurement passes a threshold) under calibrated normal beliefs; any shape."""
    with np.errstate(divide="ignore", invalid="ignore"):
        past: FloatArray = ndtr((readout.low - mean) / sd) + ndtr((mean - readout.high) / sd)
    return np.where(sd > 0, past, (mean <= readout.low) | (mean >= readout.high))


def trust(past: Sequence[Promise]) -> tuple[float, float]:
    """Hits to come / hits promised in the next round: mean of its logarithm, and its SD.

    Drawn towards what is usual, and as wide as earlier rounds were wide of their promises; what
    is usual counts for one round. `past` are all chosen rounds in their order.
    """
    if not past:
        return 0.0, FIRST_MISJUDGEMENT
    told = [_misjudged(each) for each in past[1:]]
    precision = SHARED_MISJUDGEMENT**-2 + sum(1 / (LATER_MISJUDGEMENT**2 + by) for _, by in told)
    shift = USUAL_SHIFT * SHARED_MISJUDGEMENT**-2
    shift += sum(ratio / (LATER_MISJUDGEMENT**2 + by) for ratio, by in told)
    shift /= precision
    square = sum(max((ratio - shift) ** 2 - by, 0.0) for ratio, by in told)
    counts = _USUAL_COUNTS_FOR + len(told)
    scatter = (_USUAL_COUNTS_FOR * LATER_MISJUDGEMENT**2 + square) / counts
    return shift, math.sqrt(scatter + 1 / precision)


def _misjudged(promise: Promise) -> tuple[float, float]:
    """The logarithm of came / promised, and the variance that counting hits gives it."""
    expected = promise.expected + _JEFFREYS
    return math.log((promise.came + _JEFFREYS) / expected), 1 / expected


def forecast_hits(
    chosen: FloatArray,
    audit: int,
    lot: ByLot | None,
    values: FloatArray,
    past: Sequence[Promise],
    rng: np.random.Generator,
) -> Forecast | None:
    """Hits to be expected of a batch.

    Args:
        chosen: The chance of each chosen well, shape (q,).
        audit: How many wells beside them are drawn by lot.
        lot: The rate of hits by lot.
        values: Hits of the chosen wells together in each of S joint draws, shape (S,), of which
            only the relative spread is used, and where it is wider than what is usual, or than
            what earlier rounds tell; may be empty.
        past: What earlier rounds promised and brought.
        rng: Draws the interval.

    Returns:
        None where hits by lot are to be told and there is nothing to go by.
    """
    if audit and lot is None:
        return None
    shift, sd = trust(past)
    promised, wells = float(chosen.sum()) * math.exp(shift), len(chosen)
    factor = np.ones(_DRAWS)
    if len(values) and values.mean() > 0:
        relative = values / values.mean()
        factor = rng.choice(relative, _DRAWS)
        # What the surrogate doubts itself is part of how far it was off before.
        sd = math.sqrt(max(sd**2 - float(relative.var()), 0.0))
    factor = factor * np.exp(sd * rng.standard_normal(_DRAWS) - 0.5 * sd**2)
    share = np.clip(promised * factor / max(wells, 1), 0.0, 1.0)
    # One chance for all has the mean of all their chances, and a little more variance.
    hits = rng.binomial(wells, share)
    by_chance = 0.0 if lot is None else lot.rate
    if lot is not None and audit:
        hits = hits + rng.binomial(audit, rng.beta(lot.above, lot.below, _DRAWS))
    low, high = np.quantile(hits, (_LOW, _HIGH), method="inverted_cdf")
    value = min(promised, wells) + audit * by_chance
    return Forecast(
        value,
        min(float(low), value),
        max(float(high), value),
        None if lot is None else by_chance * (wells + audit),
        HITS,
    )


def forecast_gain(
    mean: FloatArray,
    sd: FloatArray,
    best: float,
    downwards: bool,
    values: FloatArray,
    unit: str,
    rng: np.random.Generator,
) -> Forecast | None:
    """How far the best of a batch will lie past the best so far; 0 where it will not.

    Args:
        mean: Of each well of the batch, shape (q,).
        sd: Calibrated SD of each measurement, shape (q,).
        best: The best so far.
        downwards: Whether smaller is better.
        values: The gain in each of S joint draws of the surrogate, noise left out, shape (S,);
            its spread is what wells have in common. Empty: as if they had nothing in common.
        unit: The readout's.
        rng: Draws.

    Returns:
        None for an empty batch.
    """
    if not len(mean):
        return None
    sign = -1.0 if downwards else 1.0
    highest = np.full(_DRAWS, -np.inf)
    for centre, width in zip(sign * (mean - best), sd, strict=True):
        np.maximum(highest, centre + width * rng.standard_normal(_DRAWS), out=highest)
    if len(values) > 1:
        highest = highest + rng.choice(values - values.mean(), _DRAWS)
    gain = np.maximum(highest, 0.0)
    low, high = np.quantile(gain, (_LOW, _HIGH))
    return Forecast(float(gain.mean()), float(low), float(high), None, unit)
