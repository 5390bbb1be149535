"""Log expected improvement: what the whole batch is expected to gain over the best so far."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from botorch.acquisition.logei import TAU_RELU
from botorch.utils.safe_math import fatplus
from torch import Tensor

from acquisition.batch import SCANNING, Rule, choose_batch
from acquisition.marginals import Marginals
from acquisition.reasons import improvement_clauses
from acquisition.settings import Number, read_settings
from acquisition.suits import check_goal, sign_of
from loop.domain.errors import InvalidError
from loop.domain.goal import Goal
from loop.ports.arrays import FloatArray
from loop.ports.engine import BatchRequest, Chosen, Progress, silent


class LogExpectedImprovement:
    """Choose the batch whose best well is expected to improve most on the best so far.

    For finding one extreme. For many hits it is the wrong question (`evidence.md` A1), and with
    S members or draws it cannot tell candidates apart after about S picks (A5): give a
    surrogate without members `draws` of at least 4 q.

    Source:
        Ament et al. (2023), "Unexpected improvements to expected improvement for Bayesian
        optimization", NeurIPS, with BoTorch's smooth `fatplus`. We do the sequential greedy of
        BoTorch's `optimize_acqf_discrete` incrementally, in O(K S) a pick instead of O(K S q),
        and smooth each member's gain over its running maximum, where BoTorch smooths the
        maximum: the value of the first pick is the same, later ones differ by the smoothing.
    """

    settings: ClassVar[Mapping[str, Number]] = SCANNING

    def check(self, settings: Mapping[str, str | int | float | bool]) -> None:
        """Refuse settings that are unknown or out of range."""
        read_settings("log-expected-improvement", settings, self.settings)

    def choose(
        self, request: BatchRequest, rng: np.random.Generator, progress: Progress = silent
    ) -> Chosen:
        """Choose for goals 'maximize' and 'minimize'.

        A score is the natural logarithm of what the candidate adds to the expected improvement,
        given pending wells and those chosen before it.

        Raises:
            InvalidError: Also if nothing has been observed that could be improved on.
        """
        name = "log-expected-improvement"
        check_goal(name, request, (Goal.MAXIMIZE, Goal.MINIMIZE))
        settings = read_settings(name, request.settings, self.settings)
        if request.best is None:
            msg = (
                f"Nothing has been observed of readout {request.readout.name!r}, so there is no "
                "best value to improve on; choose the first batch with acquisition 'random'."
            )
            raise InvalidError(msg)
        sign, best, unit = sign_of(request.goal), request.best, request.readout.unit

        def utility(beliefs: tuple[Marginals, ...]) -> Tensor:
            return log_improvement(sign * beliefs[0].members(), sign * best)

        rule = Rule(
            utility=utility,
            clause=lambda beliefs: improvement_clauses(beliefs[0], best, sign, unit),
            favourites=lambda beliefs: sign * beliefs[0].means,
            joint=lambda _, before, pool: ImprovementGains(
                sign * before[..., 0], sign * pool[..., 0], sign * best
            ),
        )
        return choose_batch(request, rule, settings, rng, progress)


def log_improvement(values: Tensor, best: float | Tensor) -> Tensor:
    """The log of E(max(value - best, 0)), smoothed; (S, N) values over (S, 1) bests give (N,)."""
    return fatplus(values - best, tau=TAU_RELU).mean(dim=0).log()


class ImprovementGains:
    """Expected improvement of a growing batch: each member's running maximum is all it needs.

    Args:
        before: Draws of what is pending or chosen already, shape (S, C).
        pool: Draws of the K candidates, shape (S, K).
        best: The best value observed.
    """

    def __init__(self, before: Tensor, pool: Tensor, best: float) -> None:
        self._pool = pool
        self._maximum = pool.new_full((len(pool), 1), best)
        if before.shape[1]:
            self._maximum = self._maximum.maximum(before.amax(dim=1, keepdim=True))

    def values(self) -> FloatArray:
        """The log of what each candidate adds, shape (K,); O(K S)."""
        gains: FloatArray = log_improvement(self._pool, self._maximum).numpy()
        return gains

    def add(self, position: int) -> None:
        """Raise each member's maximum to its value of the candidate."""
        self._maximum = self._maximum.maximum(self._pool[:, position : position + 1])
