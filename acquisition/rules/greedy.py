"""Greedy: the candidates whose predicted mean is best."""

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
from loop.ports.engine import BatchRequest, Chosen, Progress, silent


class Greedy:
    """Choose by predicted mean alone: for hits, by how far it lies past a threshold.

    It asks for no doubt at all, and with ensembles found as many hits as anything else
    (`evidence.md` A1). What is pending changes nothing.
    """

    settings: ClassVar[Mapping[str, Number]] = SCANNING

    def served(self, settings: Mapping[str, str | int | float | bool]) -> tuple[Goal, ...]:
        """The goals that it is for."""
        return (Goal.FIND_HITS, Goal.MAXIMIZE, Goal.MINIMIZE)

    def check(self, settings: Mapping[str, str | int | float | bool]) -> None:
        """Refuse settings that are unknown or out of range."""
        read_settings("greedy", settings, self.settings)

    def choose(
        self, request: BatchRequest, rng: np.random.Generator, progress: Progress = silent
    ) -> Chosen:
        """Choose for hits and for an extreme of one readout.

        A score is, for hits, the excess over the nearer threshold in units of the noise SD;
        otherwise the mean in the goal's direction, in the readout's unit.
        """
        check_goal("greedy", request, self.served(request.settings))
        settings = read_settings("greedy", request.settings, self.settings)
        hunting, sign = request.goal is Goal.FIND_HITS, sign_of(request.goal)
        readout = request.readout

        def utility(asked: tuple[Marginals, ...]) -> Tensor:
            [beliefs] = asked
            if hunting:
                return excess(beliefs.mean, readout) / (beliefs.noise_sd or 1.0)
            return sign * beliefs.mean

        rule = Rule(
            utility,
            clause=lambda chosen: promise_clauses(chosen[0], request),
            scale=Scale.EXCESS,
        )
        return choose_batch(request, rule, settings, rng, progress)
