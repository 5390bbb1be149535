"""Whether a batch can keep its rules at all: a linear programme over perturbagens.

Candidates are far too many to be variables. Their perturbagens are not: a batch of n choices uses
perturbagen p in x_p of them and holds a member of group g in k_g of them, and whatever the batch
is, these numbers keep to linear rules. So where the rules have no solution there is no batch; the
reverse need not hold, since which perturbagens may be combined is known to the space alone.
Perturbagens that no rule tells apart share one variable.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array, hstack, vstack

from loop.constraints import counts_of_uses, holders
from loop.ports.arrays import Combinations, FloatArray
from loop.ports.engine import Limits
from loop.supply import Supply

_SLACK = 1e-9
"""Relative room for sums of costs, which round."""
_STEPS = 100
"""Rises of the price that are looked at, from the cheapest candidate on."""
_SOLVED, _INFEASIBLE = 0, 2

_Row = tuple[dict[int, float], float]
"""Weights by column, and what their sum is at most."""


class Kind(StrEnum):
    """What a rule is about."""

    SIZE = "size"
    AUDIT = "audit"
    REFERENCE = "reference"
    MUST_INCLUDE = "must-include"
    MAX_USES = "max-uses"
    MONEY = "money"
    PLATES = "plates"
    AT_LEAST = "at-least"
    AT_MOST = "at-most"


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One thing that was asked for; no two are equal.

    Attributes:
        kind: What it is about.
        said: How a person says it, `batch.size = 128`.
        number: The bound: choices, uses, money, choices that plates hold, audit wells.
        group: For rules about a group its position among the limits' groups.
        fixed: The perturbations that a reference or must-include rule puts into the batch.
    """

    kind: Kind
    said: str
    number: float = 0.0
    group: int = -1
    fixed: Combinations | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be as small as possible: weights of n, of money, of the most uses, of one k_g."""

    choices: float = 0.0
    money: float = 0.0
    uses: float = 0.0
    held: float = 0.0
    group: int = -1


class BatchProgram:
    """The programme of one batch; `limits` give costs and groups, rules say which bounds hold.

    Args:
        limits: Those of the whole batch; bounds in them count only where a rule says so.
        supply: What the space offers, everything that rules fix included.
    """

    def __init__(self, limits: Limits, supply: Supply) -> None:
        self._limits, self._supply = limits, supply

    def is_possible(self, rules: Collection[Rule]) -> bool:
        """Whether the rules have a solution together."""
        return self.least(rules, Wanted()) is not None

    def least(self, rules: Collection[Rule], wanted: Wanted) -> float | None:
        """The smallest value of what is wanted under the rules.

        Returns:
            None where the rules cannot hold together; -inf where it has no smallest value, or the
            solver could not tell.

        Cost:
            Milliseconds where perturbagens fall into few classes; about a second for 20,000 that
            all cost differently.
        """
        programme = _Programme(self._limits, self._supply, rules, wanted)
        bounds = programme.bounds()
        if (bounds[:, 0] > bounds[:, 1]).any():
            return None
        at_most, ends = programme.inequalities()
        nothing = programme.equalities()
        found = linprog(
            programme.objective(),
            A_ub=at_most,
            b_ub=ends,
            A_eq=nothing,
            b_eq=np.zeros(nothing.shape[0]),
            bounds=bounds,
            method="highs",
        )
        if found.status == _INFEASIBLE:
            return None
        return float(found.fun) if found.status == _SOLVED else -math.inf


class _Programme:
    """Columns: x of each class; then n, u (the most uses), x of all, cost; x and k of each group.

    Where the size is given, that no perturbagen is in a choice twice bounds x; where it is wanted
    instead, rows say so.
    """

    def __init__(
        self, limits: Limits, supply: Supply, rules: Collection[Rule], wanted: Wanted
    ) -> None:
        self._limits, self._supply, self._wanted = limits, supply, wanted
        self._rules = {kind: [rule for rule in rules if rule.kind is kind] for kind in Kind}
        self._fixed = [rule.fixed for rule in rules if rule.fixed is not None]
        count = len(supply.holding)
        costs = limits.costs if len(limits.costs) else np.zeros(count)
        uses = sum((counts_of_uses(part, count) for part in self._fixed), np.zeros(count))
        members = [group.members for group in limits.groups]
        table = np.stack([costs, supply.holding, uses, *members], axis=1, dtype=np.float64)
        rows, sizes = np.unique(table, axis=0, return_counts=True)
        self._sizes: FloatArray = sizes.astype(np.float64)
        self._costs, self._holding, self._uses = rows[:, 0], rows[:, 1], rows[:, 2]
        self._members: FloatArray = rows[:, 3:]
        self._n, self._u, self._all, self._cost = range(len(sizes), len(sizes) + 4)
        groups = np.arange(len(members))
        self._x_of = (self._cost + 1 + groups).tolist()
        self._k_of = (self._cost + 1 + len(members) + groups).tolist()
        self._width = self._cost + 1 + 2 * len(members)

    def bounds(self) -> FloatArray:
        """Least and most of every column, shape (width, 2)."""
        bounds = np.full((self._width, 2), (0.0, math.inf))
        choices = self._choices()
        most = np.minimum(self._holding, min(choices[1], self._smallest(Kind.MAX_USES)))
        bounds[: self._n] = np.stack([self._uses * self._sizes, most * self._sizes], axis=1)
        bounds[self._n] = choices
        for rule in self._rules[Kind.MONEY]:
            bounds[self._cost, 1] = rule.number + _SLACK * max(1.0, rule.number)
        for place, column in enumerate(self._k_of):
            bounds[column] = self._held(place)
        return bounds

    def _choices(self) -> tuple[float, float]:
        least = self._fixed_choices() + sum(rule.number for rule in self._rules[Kind.AUDIT])
        most = min(self._supply.left, self._smallest(Kind.PLATES))
        for rule in self._rules[Kind.SIZE]:
            least, most = max(least, rule.number), min(most, rule.number)
        return least, most

    def _held(self, place: int) -> tuple[float, float]:
        least = float(self._fixed_holders(place))
        most = float(self._supply.in_groups[place])
        for rule in self._rules[Kind.AT_LEAST]:
            least = max(least, rule.number) if rule.group == place else least
        for rule in self._rules[Kind.AT_MOST]:
            most = min(most, rule.number) if rule.group == place else most
        return least, most

    def _fixed_choices(self) -> int:
        return sum(len(part) for part in self._fixed)

    def _fixed_holders(self, place: int) -> int:
        group = self._limits.groups[place]
        return sum(int(holders(group, part).sum()) for part in self._fixed)

    def _smallest(self, kind: Kind) -> float:
        return min([math.inf, *(rule.number for rule in self._rules[kind])])

    def equalities(self) -> csr_array:
        """Rows that are 0: x of all, the cost and x of each group are sums over classes."""
        parts = np.stack([np.ones(self._n), self._costs, *self._members.T])
        sums = np.zeros((len(parts), self._width - self._n))
        columns = np.array([self._all, self._cost, *self._x_of]) - self._n
        sums[np.arange(len(parts)), columns] = -1.0
        sums[1, 0] = self._limits.well_cost
        return hstack([csr_array(parts), csr_array(sums)], format="csr")

    def inequalities(self) -> tuple[csr_array, FloatArray]:
        """Rows that are at most their right sides, and these."""
        rows = [*self._of_orders(), *self._of_prices()]
        for place in range(len(self._k_of)):
            rows += self._of_group(place)
        dense = np.zeros((len(rows), self._width))
        for line, (row, _) in enumerate(rows):
            dense[line, list(row)] = list(row.values())
        blocks = [csr_array(dense), *self._of_each_class()]
        matrix = vstack(blocks, format="csr")
        ends = np.zeros(matrix.shape[0])
        ends[: len(rows)] = [end for _, end in rows]
        return matrix, ends

    def _of_orders(self) -> list[_Row]:
        least, most = float(self._supply.least_order), float(self._supply.most_order)
        return [
            ({self._all: 1.0, self._n: -most}, 0.0),
            ({self._all: -1.0, self._n: least}, 0.0),
        ]

    def _of_prices(self) -> list[_Row]:
        """Different choices cost what the cheapest candidates do, at least: a convex sum."""
        prices = self._supply.prices
        if not len(prices):
            return []
        dearer = np.flatnonzero(np.diff(prices)) + 1
        before = np.concatenate([[0], dearer])[:_STEPS]
        paid = np.concatenate([[0.0], np.cumsum(prices)])
        return [
            ({self._n: float(prices[at]), self._cost: -1.0}, float(prices[at] * at - paid[at]))
            for at in before.tolist()
        ]

    def _of_group(self, place: int) -> list[_Row]:
        """Choices in a group hold one member at least; the others hold none."""
        least, most = float(self._supply.least_order), float(self._supply.most_order)
        x, k, n, every = self._x_of[place], self._k_of[place], self._n, self._all
        apart = float(self._fixed_choices() - self._fixed_holders(place))
        return [
            ({k: 1.0, x: -1.0}, 0.0),
            ({x: 1.0, k: -most}, 0.0),
            ({k: 1.0, n: -1.0}, -apart),
            ({n: least, k: -least, every: -1.0, x: 1.0}, 0.0),
            ({every: 1.0, x: -1.0, n: -most, k: 1.0}, 0.0),
        ]

    def _of_each_class(self) -> list[csr_array]:
        """No perturbagen is in more choices than there are, nor than the most uses."""
        wanted = [(self._wanted.choices, self._n), (self._wanted.uses, self._u)]
        at = np.tile(np.arange(self._n), 2)
        values = np.concatenate([np.ones(self._n), -self._sizes])
        blocks = []
        for weight, column in wanted:
            if weight:
                columns = np.concatenate([np.arange(self._n), np.full(self._n, column)])
                shape = (self._n, self._width)
                blocks.append(csr_array((values, (at, columns)), shape=shape))
        return blocks

    def objective(self) -> FloatArray:
        """The weights of all columns."""
        row = np.zeros(self._width)
        row[[self._n, self._u, self._cost]] = (
            self._wanted.choices,
            self._wanted.uses,
            self._wanted.money,
        )
        if self._wanted.group >= 0:
            row[self._k_of[self._wanted.group]] = self._wanted.held
        return row
