"""Auto: the acquisition that was measured to suit the goal and the surrogate."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Protocol

import numpy as np

from acquisition.rules.expected_hits import ExpectedHits
from acquisition.rules.pareto import Pareto
from acquisition.rules.reach_state import ReachState
from acquisition.rules.uniform import Uniform
from acquisition.rules.upper_confidence_bound import UpperConfidenceBound
from acquisition.settings import Number, read_settings
from loop.domain.goal import Goal
from loop.ports.engine import BatchRequest, Chosen, Progress, Surrogate, silent


class _Configurable(Protocol):
    settings: ClassVar[Mapping[str, Number]]

    def choose(
        self, request: BatchRequest, rng: np.random.Generator, progress: Progress = silent
    ) -> Chosen: ...


_SUITS: Mapping[Goal, type[_Configurable]] = {
    Goal.FIND_HITS: ExpectedHits,
    Goal.MAXIMIZE: UpperConfidenceBound,
    Goal.MINIMIZE: UpperConfidenceBound,
    Goal.REACH_STATE: ReachState,
    Goal.PARETO: Pareto,
    Goal.LEARN_MAP: Uniform,
}
"""By goal; the reasons are in `docs/benchmarks.md`."""


class Auto:
    """Delegate to the acquisition that did best for the goal on real screens.

    Hits: `expected-hits`. On 100,576 gene pairs it found 255 ± 14 hits in 768 wells and
    `upper-confidence-bound` 253 ± 14; `thompson` 235 ± 9, `greedy` 190 ± 60 and a mixture with a
    fifth of the wells for learning 210 ± 47 found fewer. Extremes: `upper-confidence-bound` with
    beta 1, which nothing beat by more than the spread between seeds. A state or a front: the only
    one that serves it. Learning the map: uniformly random wells, which no active rule beat:
    `integrated-variance`, `epig` and `max-variance` all ended behind them on dose matrices, by 2
    to 6 % of RMSE on every seed, and level with them on gene pairs. Commands and all figures:
    `docs/benchmarks.md`.

    A surrogate that believes the same of everything (family 'none') gets random wells for every
    goal. Beyond that neither family nor batch size decides: no replay says that they should.

    The surrogate says its family by an attribute `family`: 'ensemble', 'gaussian-process' or
    'none'; one without it counts as unknown.
    """

    settings: ClassVar[Mapping[str, Number]] = {
        key: number for each in _SUITS.values() for key, number in each.settings.items()
    }

    def check(self, settings: Mapping[str, str | int | float | bool]) -> None:
        """Refuse settings that are unknown or out of range."""
        read_settings("auto", settings, self.settings)

    def choose(
        self, request: BatchRequest, rng: np.random.Generator, progress: Progress = silent
    ) -> Chosen:
        """Choose for every goal; settings that the delegate does not have are left to others."""
        read_settings("auto", request.settings, self.settings)
        delegate = delegate_for(request.goal, request.surrogate)
        passed_on = {k: v for k, v in request.settings.items() if k in delegate.settings}
        return delegate.choose(replace(request, settings=passed_on), rng, progress)


def delegate_for(goal: Goal, surrogate: Surrogate) -> _Configurable:
    """The acquisition that suits a goal and a surrogate."""
    family = getattr(surrogate, "family", "unknown")
    if family == "none":
        return Uniform()
    return _SUITS[goal]()
