"""What the batch may still cost."""

from itertools import islice

import numpy as np

from loop.ports.arrays import BoolArray, Combinations, FloatArray
from loop.ports.engine import Limits


class Budget:
    """The money that is left, less what the cheapest remaining choices will cost.

    Args:
        limits: Costs, the cost of a well, and the money.
        size: How many choices remain.

    Attributes:
        bound: Whether the plain choice could not be paid; set by whoever found out.
    """

    def __init__(self, limits: Limits, size: int) -> None:
        # The last entry is the cost of -1, the empty slot.
        self._costs = np.append(limits.costs, 0.0)
        self._well_cost = limits.well_cost
        self._money = limits.money
        self._left = limits.money
        self._remaining = size
        self._known: dict[tuple[int, ...], float] = {}
        self._rate = 0.0
        self.bound = False

    @property
    def _rounding(self) -> float:
        return 1e-9 * max(abs(self._money), 1.0)

    @property
    def money(self) -> float:
        """What the whole choice may cost."""
        return self._money

    @property
    def left(self) -> float:
        """What is left of it."""
        return self._left

    @property
    def rate(self) -> float:
        """How much utility one unit of money is worth; 0 until the plain choice costs too much."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        self._rate = rate

    def prices(self, combinations: Combinations) -> FloatArray:
        """What each perturbation costs, its well included, shape (N,)."""
        if len(self._costs) == 1:
            return np.full(len(combinations), self._well_cost)
        answer: FloatArray = self._costs[combinations.components].sum(axis=1) + self._well_cost
        return answer

    def foresee(self, cheapest: Combinations) -> None:
        """Keep enough for the remaining choices: here are as many that cost the least.

        They stand in the order in which they are kept as fewer remain: those that must be in the
        batch first, then the cheapest.
        """
        prices = self.prices(cheapest).tolist()
        self._known = dict(zip(_names(cheapest), prices, strict=True))

    def suffices(self) -> bool:
        """Whether the cheapest candidates foreseen can be paid."""
        return self._reserve(self._remaining) <= self._left + self._rounding

    def allowed(self, combinations: Combinations) -> BoolArray:
        """Which leave enough for the remaining choices, shape (N,)."""
        most = self._left - self._reserve(max(self._remaining - 1, 0))
        return np.asarray(self.prices(combinations) <= most + self._rounding)

    def count(self, combination: Combinations) -> None:
        """Pay for one choice (N = 1)."""
        self._left -= float(self.prices(combination)[0])
        self._remaining -= 1
        self._known.pop(_names(combination)[0], None)

    def _reserve(self, choices: int) -> float:
        """What so many of those that were foreseen will cost."""
        return sum(islice(self._known.values(), choices))

    def ending(self) -> str:
        """That even the cheapest cost too much."""
        cheapest = self._reserve(self._remaining)
        return (
            f", but the cheapest {self._remaining:,} choices cost {cheapest:.6g} and the budget "
            f"leaves {self._left:.6g}; ask for fewer, or raise the budget"
        )

    def note(self, passed_over: Combinations) -> str:
        """What was spent, where costs decided; empty where they did not."""
        if not self.bound:
            return ""
        spent = self._money - self._left
        return f"The budget bound the choice, which costs {spent:.6g} of {self._money:.6g}."


def _names(combinations: Combinations) -> list[tuple[int, ...]]:
    rows = np.concatenate(
        [combinations.components, combinations.levels, combinations.contexts[:, None]], axis=1
    )
    return [tuple(row) for row in rows.tolist()]
