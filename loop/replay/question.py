"""What a replay asks of a screen: the goal, and where a hit begins."""

import math
from dataclasses import dataclass

import numpy as np

from loop.domain.errors import CampaignFileError
from loop.domain.goal import Direction, Goal, Readout
from loop.ports.arrays import BoolArray, FloatArray
from loop.screen import Screen


@dataclass(frozen=True, slots=True)
class Asked:
    """The goal, its readout with thresholds, and which of the N perturbations are hits.

    `hits` is None where no hit was defined; then only the best value is followed. `more` are the
    readouts after the first.
    """

    goal: Goal
    readout: Readout
    hits: BoolArray | None
    more: tuple[Readout, ...] = ()

    @property
    def readouts(self) -> tuple[Readout, ...]:
        """All of them, the goal's first."""
        return (self.readout, *self.more)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of several readouts, one for each in their order; may be empty."""

    directions: tuple[Direction, ...] = ()
    targets: tuple[float, ...] = ()


NOTHING_WANTED = Wanted()


def ask(
    screen: Screen,
    name: str,
    goal: Goal,
    threshold: tuple[float, float] | None = None,
    top: float | None = None,
    more: tuple[str, ...] = (),
    wanted: Wanted = NOTHING_WANTED,
) -> Asked:
    """Define hits by the screen's hit column, by thresholds, or as the top share.

    With a hit column the thresholds are those that call as many perturbations hits on either
    side of the median: a user would know where a hit begins, as here the question does.

    Raises:
        CampaignFileError: If hits are to be found but none are defined, or defined twice; or if
            the goal needs a direction or a target for each readout and has none.
    """
    _check_wanted(goal, (name, *more), wanted)
    given = [threshold is not None, top is not None, screen.hits is not None]
    if sum(given) > 1:
        msg = "Hits are defined more than once; give one of --hit, --threshold and --top."
        raise CampaignFileError(msg)
    if goal is Goal.FIND_HITS and not any(given):
        msg = "goal 'find-hits' needs hits; give --hit COLUMN, --threshold LOW,HIGH or --top SHARE."
        raise CampaignFileError(msg)
    if goal is Goal.FIND_HITS and screen.hits is not None and not screen.hits.any():
        msg = (
            "The hit column marks no perturbation; name another one, or give --threshold or --top."
        )
        raise CampaignFileError(msg)
    known = screen.values[np.isfinite(screen.values)]
    hits = screen.hits
    low, high = -math.inf, math.inf
    if hits is not None:
        low, high = _thresholds(screen.values, hits)
    elif threshold is not None:
        low, high = threshold
    elif top is not None:
        low, high = _top(known, top, goal)
    if hits is None and any(given):
        hits = (screen.values <= low) | (screen.values >= high)
    direction = wanted.directions[0] if wanted.directions else _direction(low, high)
    first = Readout(name, "", direction, low, high, target=_at(wanted.targets, 0))
    return Asked(
        goal,
        first,
        hits,
        tuple(
            Readout(
                each,
                direction=wanted.directions[at] if wanted.directions else Direction.BOTH,
                target=_at(wanted.targets, at),
            )
            for at, each in enumerate(more, 1)
        ),
    )


def _at(targets: tuple[float, ...], place: int) -> float | None:
    return targets[place] if targets else None


def _check_wanted(goal: Goal, names: tuple[str, ...], wanted: Wanted) -> None:
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        msg = f"--readout names {twice[0]!r} twice; name each readout once."
        raise CampaignFileError(msg)
    if wanted.targets and goal is not Goal.REACH_STATE:
        msg = f"--target means nothing to goal {goal.value!r}; leave it out, or --goal reach-state."
        raise CampaignFileError(msg)
    for option, given in (("--direction", wanted.directions), ("--target", wanted.targets)):
        if given and len(given) != len(names):
            msg = (
                f"{option} is given for {len(given)} readouts but there are {len(names)} "
                f"({', '.join(names)}); give one for each."
            )
            raise CampaignFileError(msg)
    if goal is Goal.REACH_STATE and not wanted.targets:
        msg = (
            "goal 'reach-state' needs the wanted value of each readout; give --target 1.2,0.3 "
            f"for {', '.join(names)}."
        )
        raise CampaignFileError(msg)
    if goal is Goal.PARETO and (len(names) < 2 or not wanted.directions):
        msg = (
            "goal 'pareto' weighs readouts against each other; give two or more, such as "
            "--readout kill,toxicity --direction up,down."
        )
        raise CampaignFileError(msg)


def _thresholds(values: FloatArray, hits: BoolArray) -> tuple[float, float]:
    middle = np.median(values)
    ordered = np.sort(values)
    below, above = int((hits & (values < middle)).sum()), int((hits & (values >= middle)).sum())
    low = float(ordered[below - 1]) if below else -math.inf
    high = float(ordered[len(ordered) - above]) if above else math.inf
    return low, high


def _top(values: FloatArray, top: float, goal: Goal) -> tuple[float, float]:
    if not 0 < top < 1:
        msg = f"--top {top:g} must be a share between 0 and 1, such as 0.05."
        raise CampaignFileError(msg)
    count = max(1, round(top * len(values)))
    ordered = np.sort(values)
    if goal is Goal.MINIMIZE:
        return float(ordered[count - 1]), math.inf
    return -math.inf, float(ordered[len(ordered) - count])


def _direction(low: float, high: float) -> Direction:
    if math.isinf(low) and math.isfinite(high):
        return Direction.UP
    if math.isinf(high) and math.isfinite(low):
        return Direction.DOWN
    return Direction.BOTH
