"""What must not matter: the unit of a readout, and the order of the library."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from acquisition.auto import Auto
from acquisition.rules.epig import Epig
from acquisition.rules.expected_hits import ExpectedHits
from acquisition.rules.expected_improvement import LogExpectedImprovement
from acquisition.rules.greedy import Greedy
from acquisition.rules.integrated_variance import IntegratedVariance
from acquisition.rules.max_variance import MaxVariance
from acquisition.rules.mixture import Mixture
from acquisition.rules.pareto import Pareto
from acquisition.rules.reach_state import ReachState
from acquisition.rules.thompson import Thompson
from acquisition.rules.upper_confidence_bound import UpperConfidenceBound
from loop.domain.goal import Direction, Goal, Readout
from loop.ports.arrays import BoolArray, Combinations, IntArray
from loop.ports.engine import Acquisition, BatchRequest
from tests.acquisition.asking import ask
from tests.acquisition.several_readouts import SeveralReadouts, observed
from tests.acquisition.small_space import SmallSpace
from tests.acquisition.test_pareto import VALUES

HUNTS = [ExpectedHits, Greedy, UpperConfidenceBound, Thompson, Epig, MaxVariance, Auto]
CLIMBS = [Greedy, UpperConfidenceBound, Thompson, LogExpectedImprovement, Auto]
CASES: list[tuple[type[Acquisition], Goal, dict[str, Any]]] = [
    *((make, Goal.FIND_HITS, {}) for make in HUNTS),
    *((make, Goal.MAXIMIZE, {}) for make in CLIMBS),
    *((make, Goal.MINIMIZE, {}) for make in CLIMBS),
    *((make, Goal.LEARN_MAP, {}) for make in (Epig, IntegratedVariance, MaxVariance)),
    (ExpectedHits, Goal.FIND_HITS, {"balance": 1.0}),
    (Mixture, Goal.FIND_HITS, {"expected-hits": 0.5, "integrated-variance": 0.5}),
    (Pareto, Goal.PARETO, {}),
    (ReachState, Goal.REACH_STATE, {}),
    (Auto, Goal.PARETO, {}),
    (Auto, Goal.REACH_STATE, {}),
]
SEEN = (7, 8, 20, 71)
TAKEN = (3, 7, 8, 20, 41, 71)


class _Open(SmallSpace):
    """Nothing is forbidden."""

    def on_offer(self) -> int:
        return len(self)

    def permitted(self, combinations: Combinations) -> BoolArray:
        return np.ones(len(combinations), dtype=np.bool_)


class _Renamed(SeveralReadouts):
    """The same, of a library in another order: its perturbagen i is our `order[i]`."""

    def __init__(self, order: IntArray) -> None:
        super().__init__([1.0, 1.0])
        self._order = order

    def member_means(self, combinations: Combinations) -> Tensor:
        return super().member_means(_renamed(combinations, self._order))


def _renamed(combinations: Combinations, order: IntArray) -> Combinations:
    components = np.sort(order[combinations.components], axis=1)
    return Combinations(components, combinations.levels, combinations.contexts)


def _question(goal: Goal, settings: dict[str, Any], scale: float = 1.0) -> BatchRequest:
    """Six wells; the second readout has a unit of its own."""
    readouts = (
        Readout("a", direction=Direction.UP, high=2.0 * scale, target=scale),
        Readout("b", direction=Direction.DOWN, target=-1.0),
    )
    if goal is Goal.FIND_HITS:
        readouts = (Readout("a", low=-1.5 * scale, high=2.0 * scale),)
    scales = [scale, 1.0][: len(readouts)]
    return ask(
        goal,
        space=_Open(),
        taken=np.array(TAKEN),
        surrogate=SeveralReadouts(scales),
        readouts=readouts,
        best=2.5 * scale,
        training=observed(VALUES[:, : len(readouts)], scales, SEEN),
        size=6,
        settings=settings,
    )


def _name(value: object) -> str:
    return getattr(value, "__name__", str(value))


@pytest.mark.parametrize(("make", "goal", "settings"), CASES, ids=_name)
def test_the_unit_of_a_readout_does_not_matter(
    make: type[Acquisition], goal: Goal, settings: dict[str, Any]
) -> None:
    plain, scaled = _question(goal, settings), _question(goal, settings, scale=1024.0)

    one = make().choose(plain, np.random.default_rng(0))
    two = make().choose(scaled, np.random.default_rng(0))

    assert two.addresses.tolist() == one.addresses.tolist()


@pytest.mark.parametrize(("make", "goal", "settings"), CASES, ids=_name)
def test_the_order_of_the_library_does_not_matter(
    make: type[Acquisition], goal: Goal, settings: dict[str, Any]
) -> None:
    plain, space = _question(goal, settings), _Open()
    order = np.random.default_rng(1).permutation(9)
    inverse = np.argsort(order)
    taken = space.rank(_renamed(space.unrank(plain.taken), inverse))
    moved = replace(
        plain,
        surrogate=_Renamed(order),
        taken=np.sort(taken),
        pending=_renamed(plain.pending, inverse),
    )

    one = make().choose(plain, np.random.default_rng(0))
    two = make().choose(moved, np.random.default_rng(0))

    theirs = _renamed(space.unrank(two.addresses), order)
    assert space.rank(theirs).tolist() == one.addresses.tolist()
