"""What a campaign asks for, and of which readout."""

import math
from dataclasses import dataclass
from enum import StrEnum

from loop.domain.errors import InvalidError
from loop.domain.perturbation import check_id


class Goal(StrEnum):
    """The question put to the library."""

    FIND_HITS = "find-hits"
    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"
    REACH_STATE = "reach-state"
    PARETO = "pareto"
    LEARN_MAP = "learn-map"


class Direction(StrEnum):
    """On which side of its thresholds a readout is a hit."""

    UP = "up"
    DOWN = "down"
    BOTH = "both"


class Normalization(StrEnum):
    """How a well's value is corrected by its plate before anything learns from it."""

    NONE = "none"
    SUBTRACT_NEGATIVE = "subtract-negative"


@dataclass(frozen=True, slots=True)
class Readout:
    """What is measured: name, unit, and where a hit begins.

    A value is a hit if it is at or below `low` or at or above `high`; a side that does not
    count is infinite. Both are in the readout's own unit, after normalisation. For goal
    'reach-state' `target` is the value of the wanted state and `weight` how much a miss counts.
    """

    name: str
    unit: str = ""
    direction: Direction = Direction.BOTH
    low: float = -math.inf
    high: float = math.inf
    normalization: Normalization = Normalization.NONE
    target: float | None = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        """Refuse thresholds that contradict the direction, and a state that cannot be reached."""
        check_id("Readout", self.name)
        if math.isnan(self.low) or math.isnan(self.high) or self.low >= self.high:
            msg = (
                f"Readout {self.name!r} has thresholds {self.low:g} and {self.high:g}; "
                "the lower one must be smaller than the upper."
            )
            raise InvalidError(msg)
        if (self.direction is Direction.UP and math.isfinite(self.low)) or (
            self.direction is Direction.DOWN and math.isfinite(self.high)
        ):
            msg = (
                f"Readout {self.name!r} has direction {self.direction.value!r} but a threshold "
                "on the other side; use direction 'both'."
            )
            raise InvalidError(msg)
        self._check_target()

    def _check_target(self) -> None:
        if self.target is not None and not math.isfinite(self.target):
            msg = f"Readout {self.name!r} has target {self.target:g}; give a finite number."
            raise InvalidError(msg)
        if not (math.isfinite(self.weight) and self.weight > 0):
            msg = (
                f"Readout {self.name!r} has weight {self.weight:g}; give a number above 0, such "
                "as 1, or leave out a readout that does not count."
            )
            raise InvalidError(msg)

    @property
    def has_threshold(self) -> bool:
        """Whether hits are defined at all."""
        return math.isfinite(self.low) or math.isfinite(self.high)

    def is_hit(self, value: float) -> bool:
        """Whether a value passes a threshold."""
        return value <= self.low or value >= self.high


def has_one_best(goal: Goal) -> bool:
    """Whether some value of the first readout is the best: neither a front nor a state has one."""
    return goal not in (Goal.REACH_STATE, Goal.PARETO)


def smaller_is_better(goal: Goal, readout: Readout) -> bool:
    """Whether the best value of a readout is its smallest.

    The goal decides where it says so itself (maximize, minimize), else the readout's direction.
    """
    if goal in (Goal.MAXIMIZE, Goal.MINIMIZE):
        return goal is Goal.MINIMIZE
    return readout.direction is Direction.DOWN
