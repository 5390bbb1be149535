"""Expected hits: the batch with the most hits to be expected."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from acquisition.batch import SCANNING, Rule, choose_batch
from acquisition.choosing.reasons import hit_clauses
from acquisition.choosing.suits import check_goal
from acquisition.rules.balanced_hits import balanced, owed_to_each
from acquisition.settings import Number, read_settings
from loop.domain.goal import Goal
from loop.ports.engine import BatchRequest, Chosen, Progress, silent


class ExpectedHits:
    """Choose the candidates most likely to pass a threshold, members' spread and noise included.

    The expected number of hits is the sum of their chances, so the best batch is the candidates
    of largest chance: no joint choice can do better, and what is pending changes nothing. All of
    them are new, for nothing taken is on offer. `balance` promises each tail of a two-sided
    readout so large a share of half the batch (0: none, 1: half the batch each).

    Source:
        One-step active search: Garnett et al. (2012), "Bayesian optimal active search and
        surveying", ICML; we look one batch ahead only. `QExpectedHits` is the same number as a
        BoTorch acquisition function.
    """

    settings: ClassVar[Mapping[str, Number]] = {**SCANNING, "balance": Number(0.0, 0.0, 1.0)}

    def served(self, settings: Mapping[str, str | int | float | bool]) -> tuple[Goal, ...]:
        """The goals that it is for."""
        return (Goal.FIND_HITS,)

    def check(self, settings: Mapping[str, str | int | float | bool]) -> None:
        """Refuse settings that are unknown or out of range."""
        read_settings("expected-hits", settings, self.settings)

    def choose(
        self, request: BatchRequest, rng: np.random.Generator, progress: Progress = silent
    ) -> Chosen:
        """Choose for goal 'find-hits'; a score is the chance of a hit."""
        check_goal("expected-hits", request, self.served(request.settings))
        settings = read_settings("expected-hits", request.settings, self.settings)
        readout = request.readout
        owed = owed_to_each(readout, settings["balance"], request.size)
        rule = Rule(
            utility=lambda beliefs: beliefs[0].chance_past(readout.low, readout.high),
            clause=lambda beliefs: hit_clauses(beliefs[0], readout),
            brings="expected hits",
        )
        if owed:
            rule = balanced(rule, request, owed)
        return choose_batch(request, rule, settings, rng, progress)
