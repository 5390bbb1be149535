"""Log expected improvement: what the whole batch is expected to gain over the best so far."""

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from botorch.acquisition.logei import TAU_MAX, TAU_RELU
from botorch.utils.safe_math import log_softplus, logmeanexp
from torch import Tensor
from torch.nn.functional import softplus

from acquisition.batch import SCANNING, Rule, choose_batch
from acquisition.belief.marginals import Marginals
from acquisition.choosing.contributions import Scale
from acquisition.choosing.reasons import improvement_clauses
from acquisition.choosing.suits import check_goal, sign_of
from acquisition.settings import Number, read_settings
from loop.domain.errors import InvalidError
from loop.domain.goal import Goal
from loop.ports.arrays import FloatArray, IntArray
from loop.ports.engine import BatchRequest, Chosen, Progress, silent

_BLOCK = 1_024
"""Candidates looked at at once."""

_FAINT = -36.0
"""Where log(softplus(z)) is z to float64's last bit."""


class LogExpectedImprovement:
    """Choose the batch whose best well is expected to improve most on the best so far.

    For finding one extreme. For many hits it is the wrong question (`evidence.md` A1). A
    surrogate with fewer than 4 q members is asked for random mixtures of them, for with S draws
    candidates cannot be told apart after about S picks (A5).

    Source:
        Ament et al. (2023), "Unexpected improvements to expected improvement for Bayesian
        optimization", NeurIPS: BoTorch's `qLogExpectedImprovement` with `fat=False`, whose
        value of the batch ours is. We do the sequential greedy of BoTorch's
        `optimize_acqf_discrete` incrementally and lazily, in at most O(K S) a pick instead of
        O(K S q).
    """

    settings: ClassVar[Mapping[str, Number]] = SCANNING

    def served(self, settings: Mapping[str, str | int | float | bool]) -> tuple[Goal, ...]:
        """The goals that it is for."""
        return (Goal.MAXIMIZE, Goal.MINIMIZE)

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
        check_goal(name, request, self.served(request.settings))
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
            scale=Scale.LOG,
            brings="expected improvement",
        )
        return choose_batch(request, rule, settings, rng, progress)


def log_improvement(values: Tensor, best: float) -> Tensor:
    """The log of E(max(value - best, 0)), smoothed; (S, N) values give (N,)."""
    return logmeanexp(log_softplus(values - best, tau=TAU_RELU), dim=0)


class ImprovementGains:
    """Expected improvement of a growing batch, exactly as BoTorch values it with `fat=False`.

    There a batch's improvement in one draw is the p-norm, p = 1 / `TAU_MAX` = 100, of its
    candidates' smoothed improvements. The norm so far is all that has to be kept of a batch, and
    what a candidate adds to it never grows: the mean over draws is submodular.

    Args:
        before: Draws of what is pending or chosen already, shape (S, C).
        pool: Draws of the K candidates, shape (S, K), float64 or float32; kept as they are, and
            made float64 only where they are looked at.
        best: The best value observed.
    """

    def __init__(self, before: Tensor, pool: Tensor, best: float) -> None:
        self._pool = pool
        self._best = best
        # The log of each draw's norm so far; None as long as nothing is in it.
        self._reached: Tensor | None = None
        for start in range(0, before.shape[1], _BLOCK):
            logs = self._logs(before[:, start : start + _BLOCK])
            self._raise_to(TAU_MAX * (logs / TAU_MAX).logsumexp(dim=0))

    def values(self) -> FloatArray:
        """The log of what each candidate adds, shape (K,); O(K S)."""
        return self.values_at(np.arange(self._pool.shape[1], dtype=np.int64))

    def values_at(self, positions: IntArray) -> FloatArray:
        """The log of what some candidates add, shape (n,); O(n S)."""
        blocks = [self._added(positions[i : i + _BLOCK]) for i in range(0, len(positions), _BLOCK)]
        gains: FloatArray = torch.cat([*blocks, torch.empty(0, dtype=torch.float64)]).numpy()
        return gains

    def bounds(self) -> FloatArray:
        """The log of what each would add to an empty batch at most, shape (K,).

        No softplus is larger than max(x, 0) + `TAU_RELU` log 2, and no mean than the maximum.
        """
        parts = []
        for start in range(0, self._pool.shape[1], 8 * _BLOCK):
            past = self._pool[:, start : start + 8 * _BLOCK] - self._best
            largest = log_softplus(past.amax(dim=0).double(), tau=TAU_RELU)
            mean = past.clamp_min_(0).mean(dim=0).double() + TAU_RELU * math.log(2)
            parts.append(torch.minimum(mean.log(), largest))
        # Means of float32 are rounded.
        bounds: FloatArray = torch.cat(parts).numpy() + 1e-5
        return bounds

    def add(self, position: int) -> None:
        """Raise each draw's norm by a candidate."""
        self._raise_to(self._logs(self._pool[:, position : position + 1])[0])

    def _logs(self, columns: Tensor) -> Tensor:
        """Log smoothed improvements of n columns, shape (n, S): draws lie side by side."""
        past = columns.T.contiguous().double() - self._best
        return log_softplus(past, tau=TAU_RELU)

    def _added(self, positions: IntArray) -> Tensor:
        logs = self._logs(self._pool[:, torch.from_numpy(positions)])
        if self._reached is not None:
            logs = _log_growth(logs, self._reached)
        return logmeanexp(logs, dim=1)

    def _raise_to(self, logs: Tensor) -> None:
        """Take one more candidate, or the norm of several, into the norm; logs of shape (S,)."""
        if self._reached is None:
            self._reached = logs
        else:
            self._reached = TAU_MAX * torch.logaddexp(self._reached / TAU_MAX, logs / TAU_MAX)


def _log_growth(logs: Tensor, reached: Tensor) -> Tensor:
    """log((R^p + u^p)^(1/p) - R) for u and R given by their logs, where p = 1 / `TAU_MAX`.

    With z = p (log u - log R) this is log R + log(expm1(softplus(z) / p)): for z far below 0
    log R + z - log p, and far above 0 log(u - R).
    """
    ahead = (logs - reached) / TAU_MAX
    far = ahead > -_FAINT
    grown = TAU_MAX * softplus(ahead.clamp(_FAINT, -_FAINT), threshold=-_FAINT)
    shrunk = (-(-torch.where(far, logs - reached, grown)).expm1()).log()
    near = torch.where(far, logs, reached + grown) + shrunk
    return torch.where(ahead > _FAINT, near, reached + ahead + math.log(TAU_MAX))
