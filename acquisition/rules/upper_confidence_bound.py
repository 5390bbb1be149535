"""Upper confidence bound: the predicted mean, plus a bonus for what is unsure."""

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


class UpperConfidenceBound:
    """Choose by mean + beta x epistemic SD, for hits by excess + beta x epistemic SD.

    Candidates are rated one by one; nothing spreads the batch, and what is pending changes
    nothing. This is the rule that was measured (`evidence.md` A1: best or tied for extremes
    with beta = 1).

    Source:
        Srinivas et al. (2010), "Gaussian process optimization in the bandit setting", ICML.
        Our beta multiplies the SD itself; BoTorch's `UpperConfidenceBound` takes its square.
    """

    settings: ClassVar[Mapping[str, Number]] = {**SCANNING, "beta": Number(1.0, 0.0)}

    def served(self, settings: Mapping[str, str | int | float | bool]) -> tuple[Goal, ...]:
        """The goals that it is for."""
        return (Goal.FIND_HITS, Goal.MAXIMIZE, Goal.MINIMIZE)

    def check(self, settings: Mapping[str, str | int | float | bool]) -> None:
        """Refuse settings that are unknown or out of range."""
        read_settings("upper-confidence-bound", settings, self.settings)

    def choose(
        self, request: BatchRequest, rng: np.random.Generator, progress: Progress = silent
    ) -> Chosen:
        """Choose for hits or an extreme of one readout; a score is the bound, in its unit."""
        name = "upper-confidence-bound"
        check_goal(name, request, self.served(request.settings))
        settings = read_settings(name, request.settings, self.settings)
        hunting, sign = request.goal is Goal.FIND_HITS, sign_of(request.goal)
        readout, beta = request.readout, settings["beta"]

        def utility(asked: tuple[Marginals, ...]) -> Tensor:
            [beliefs] = asked
            mean = beliefs.mean
            middle = excess(mean, readout) if hunting else sign * mean
            return middle + beta * beliefs.epistemic_sd

        rule = Rule(
            utility,
            clause=lambda chosen: promise_clauses(chosen[0], request),
            scale=Scale.EXCESS,
        )
        return choose_batch(request, rule, settings, rng, progress)
