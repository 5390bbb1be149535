"""Differences between two strategies over the same seeds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

_EXACT_TO = 16
_DRAWN = 100_000


@dataclass(frozen=True, slots=True)
class Difference:
    """A strategy minus the reference, over `seeds` common seeds.

    Attributes:
        seeds: How many seeds both have finished.
        mean: Mean difference.
        sd: SD of the differences; None of one.
        low: Lower end of the 95 % t interval of the mean; None of fewer than two.
        high: Its upper end.
        p: Two-sided p by flipping signs; None of fewer than two. Of n seeds it cannot be less
            than 2 / 2^n, and it is not corrected for how many strategies are compared.
    """

    seeds: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None
    p: float | None


def difference(mine: Mapping[int, float], theirs: Mapping[int, float]) -> Difference | None:
    """Compare values by seed; None where no seed is common."""
    common = sorted(set(mine) & set(theirs))
    if not common:
        return None
    apart = np.array([mine[seed] - theirs[seed] for seed in common], dtype=np.float64)
    mean = float(apart.mean())
    if len(apart) < 2:
        return Difference(1, mean, None, None, None, None)
    sd = float(apart.std(ddof=1))
    half = float(stats.t.ppf(0.975, len(apart) - 1)) * sd / len(apart) ** 0.5
    return Difference(len(apart), mean, sd, mean - half, mean + half, sign_flip_p(apart))


def sign_flip_p(apart: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
    """How often |mean| is at least as large if each difference had either sign.

    Exact to 16 seeds; beyond that 100,000 random flips, the observed one counted among them.
    """
    count = len(apart)
    if count <= _EXACT_TO:
        flips = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
        means = np.abs((1.0 - 2.0 * flips) @ apart)
        return float((means >= _just_below(apart)).mean())
    flips = np.random.default_rng(0).integers(0, 2, size=(_DRAWN, count))
    means = np.abs((1.0 - 2.0 * flips) @ apart)
    return float((1 + (means >= _just_below(apart)).sum()) / (1 + _DRAWN))


def _just_below(apart: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
    """So that rounding does not lose the flips that give the observed mean."""
    return abs(float(apart.sum())) - 1e-9 * float(np.abs(apart).sum())
