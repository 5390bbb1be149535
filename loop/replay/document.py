"""The JSON document of a replay, as design.md section 6 fixes it."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from loop.replay.campaign import Plan, Replay, ReplayedRun, Strategy


@dataclass(frozen=True, slots=True)
class Summary:
    """A strategy over its seeds, after the last round; None: not computable."""

    wells: int
    hits_mean: float | None
    hits_sd: float | None
    hits_median: float | None
    ratio_to_random: float | None
    best_mean: float
    coverage90_mean: float | None


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
    )


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
                "runs": [
                    {"seed": run.seed, "rounds": [_finite(asdict(line)) for line in run.rounds]}
                    for run in outcome.runs
                ],
                "summary": asdict(outcome.summary),
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
