"""The JSON document of a replay, as design.md section 6 fixes it."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from loop.replay.campaign import Plan, Replay, ReplayedRun, RoundFigures, Strategy

_AVERAGED = (
    "hits_low",
    "hits_high",
    "regret",
    "top100",
    "rmse",
    "spearman",
    "nll",
    "hypervolume",
    "distance",
)


@dataclass(frozen=True, slots=True)
class Summary:
    """A strategy over its seeds, after the last round; None: not computable.

    `forecast_coverage90` is the share of all rounds' forecasts whose interval held what came, and
    `forecasts` how many these are; the means are of the last rounds' figures.
    """

    wells: int
    hits_mean: float | None
    hits_sd: float | None
    hits_median: float | None
    ratio_to_random: float | None
    best_mean: float
    coverage90_mean: float | None
    hits_low_mean: float | None = None
    hits_high_mean: float | None = None
    regret_mean: float | None = None
    top100_mean: float | None = None
    rmse_mean: float | None = None
    spearman_mean: float | None = None
    nll_mean: float | None = None
    hypervolume_mean: float | None = None
    distance_mean: float | None = None
    forecasts: int = 0
    forecast_coverage90: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A strategy, its runs, and their summary."""

    strategy: Strategy
    runs: tuple[ReplayedRun, ...]
    summary: Summary


@dataclass(frozen=True, slots=True)
class RandomExpectation:
    """Wells after each round, and the hits that as many random wells would bring on average."""

    wells: tuple[int, ...]
    hits: tuple[float, ...] | None


def expectation(replay: Replay, plan: Plan) -> RandomExpectation:
    """What choosing by lot brings: the share of hits times the wells (hypergeometric mean)."""
    wells = tuple(plan.start + number * plan.batch for number in range(plan.rounds + 1))
    if replay.asked.hits is None:
        return RandomExpectation(wells, None)
    rate = float(replay.asked.hits.mean())
    return RandomExpectation(wells, tuple(rate * count for count in wells))


def summarize(runs: Sequence[ReplayedRun], random: RandomExpectation) -> Summary:
    """Fold the last rounds of all seeds."""
    last = [run.rounds[-1] for run in runs]
    hits = [line.hits for line in last if line.hits is not None]
    coverages = [line.coverage90 for line in last if line.coverage90 is not None]
    mean = statistics.fmean(hits) if hits else None
    by_chance = random.hits[-1] if random.hits else None
    return Summary(
        wells=last[0].wells,
        hits_mean=mean,
        hits_sd=statistics.stdev(hits) if len(hits) > 1 else None,
        hits_median=statistics.median(hits) if hits else None,
        ratio_to_random=mean / by_chance if mean is not None and by_chance else None,
        best_mean=statistics.fmean(line.best for line in last),
        coverage90_mean=statistics.fmean(coverages) if coverages else None,
        **_averages(last),
        **_forecasts(runs),
    )


def _averages(last: Sequence[RoundFigures]) -> dict[str, Any]:
    return {f"{name}_mean": _mean(getattr(line, name) for line in last) for name in _AVERAGED}


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def _forecasts(runs: Sequence[ReplayedRun]) -> dict[str, Any]:
    """How many rounds were forecast, and the share of them whose interval held what came."""
    inside = [
        line.forecast_low <= came <= line.forecast_high
        for run in runs
        for before, line in pairwise(run.rounds)
        if line.forecast_low is not None
        and line.forecast_high is not None
        and (came := _came(before, line)) is not None
    ]
    return {
        "forecasts": len(inside),
        "forecast_coverage90": statistics.fmean(inside) if inside else None,
    }


def _came(before: RoundFigures, line: RoundFigures) -> float | None:
    """What the wells of a round brought: hits, or how far past the best."""
    if line.forecast_hits is not None and line.hits is not None and before.hits is not None:
        return line.hits - before.hits
    return None if line.forecast_gain is None else abs(line.best - before.best)


def document(
    settings: Mapping[str, object], outcomes: Sequence[Outcome], random: RandomExpectation
) -> dict[str, object]:
    """The whole replay as plain data."""
    return {
        "settings": dict(settings),
        "strategies": [
            {
                "surrogate": outcome.strategy.surrogate,
                "acquisition": outcome.strategy.acquisition,
                "surrogate_settings": dict(outcome.strategy.surrogate_settings),
                "acquisition_settings": dict(outcome.strategy.acquisition_settings),
                "runs": [
                    {"seed": run.seed, "rounds": [_finite(asdict(line)) for line in run.rounds]}
                    for run in outcome.runs
                ],
                "summary": _finite(asdict(outcome.summary)),
            }
            for outcome in outcomes
        ],
        "random_expectation": {
            "wells": list(random.wells),
            "hits": None if random.hits is None else list(random.hits),
        },
    }


def _finite(line: dict[str, object]) -> dict[str, object]:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in line.items()
    }
