"""Thompson: every pick is the best candidate of one joint draw from the belief."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from torch import Tensor

from acquisition.batch import SCANNING, Rule, choose_batch
from acquisition.belief.marginals import Marginals
from acquisition.choosing.contributions import Scale
from acquisition.choosing.reasons import promise_clauses
from acquisition.choosing.suits import check_goal, excess, sign_of
from acquisition.settings import Number, read_settings
from loop.domain.goal import Goal
from loop.ports.arrays import FloatArray
from loop.ports.engine import BatchRequest, Chosen, Progress, silent

_NAME = "thompson"
_REACH = 2.0
"""SDs above the mean by which a candidate is rated for the short list: the best of a draw stands
about so high."""


class Thompson:
    """Believe one joint draw after the other, and choose what is best in each.

    Draws are taken in turn, as often as the batch needs; none chooses what another has. A batch
    spreads because the draws differ, not because anything pushes candidates apart, and what is
    pending changes nothing. With few draws and large batches it did badly on a real screen
    (`evidence.md` A1).

    Source:
        Kandasamy et al. (2018), "Parallelised Bayesian optimisation via Thompson sampling",
        AISTATS: the synchronous version.
    """

    settings: ClassVar[Mapping[str, Number]] = SCANNING

    def served(self, settings: Mapping[str, str | int | float | bool]) -> tuple[Goal, ...]:
        """The goals that it is for."""
        return (Goal.FIND_HITS, Goal.MAXIMIZE, Goal.MINIMIZE)

    def check(self, settings: Mapping[str, str | int | float | bool]) -> None:
        """Refuse settings that are unknown or out of range."""
        read_settings(_NAME, settings, self.settings)

    def choose(
        self, request: BatchRequest, rng: np.random.Generator, progress: Progress = silent
    ) -> Chosen:
        """Choose for hits and for an extreme of one readout.

        A score is the value in the draw that chose, in the readout's unit: for hits how far past
        the nearer threshold, otherwise in the goal's direction.
        """
        check_goal(_NAME, request, self.served(request.settings))
        settings = read_settings(_NAME, request.settings, self.settings)
        hunting, sign = request.goal is Goal.FIND_HITS, sign_of(request.goal)
        readout = request.readout

        def wanted(values: Tensor) -> Tensor:
            return excess(values, readout) if hunting else sign * values

        def clause(asked: tuple[Marginals, ...]) -> list[str]:
            said = promise_clauses(asked[0], request)
            return [f"{each}, best of what was left in one draw from the belief" for each in said]

        rule = Rule(
            utility=lambda beliefs: wanted(beliefs[0].mean) + _REACH * beliefs[0].epistemic_sd,
            clause=clause,
            favourites=lambda beliefs: wanted(beliefs[0].means),
            joint=lambda _, before, pool: DrawGains(wanted(pool[..., 0])),
            scale=Scale.EXCESS,
        )
        return choose_batch(request, rule, settings, rng, progress)


class DrawGains:
    """The values of one draw, and after every pick those of the next.

    Draws may come in pairs mirrored at the mean, the second half mirroring the first. A pair takes
    its turns together, the one that promises more first: so the order is the same in a world
    where everything is negated.

    Args:
        pool: What each draw gives the K candidates, larger is better, shape (S, K).
    """

    def __init__(self, pool: Tensor) -> None:
        self._values: FloatArray = pool.numpy()
        self._order = _in_pairs(self._values.max(axis=1))
        self._turn = 0

    def values(self) -> FloatArray:
        """What the draw whose turn it is gives each candidate, shape (K,)."""
        values: FloatArray = self._values[self._order[self._turn]]
        return values

    def add(self, position: int) -> None:
        """Pass the turn to the next draw, after the last to the first."""
        self._turn = (self._turn + 1) % len(self._order)


def _in_pairs(promise: FloatArray) -> list[int]:
    """Draw s, then s + S/2, or the other way round; one that is left over comes last."""
    half = len(promise) // 2
    order: list[int] = []
    for first, second in zip(range(half), range(half, 2 * half), strict=True):
        order += [second, first] if promise[second] > promise[first] else [first, second]
    return order + list(range(2 * half, len(promise)))
