"""Max variance: the wells that leave the surrogate least to doubt."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from acquisition.batch import SCANNING, Rule, choose_batch
from acquisition.choosing.reasons import doubt_clauses
from acquisition.settings import Number, read_settings
from loop.ports.arrays import FloatArray
from loop.ports.engine import BatchRequest, Chosen, Progress, silent

_ROUNDING = 1e-10


class MaxVariance:
    """Choose the candidate the surrogate is least sure of, given all chosen before; repeat.

    What pending wells and earlier picks will tell is taken off first, so the batch does not ask
    the same question twice. Serves every goal, since it looks at none. On a real screen it was
    no better than random wells (`evidence.md` A1).

    Source:
        Krause, Singh, Guestrin (2008), "Near-optimal sensor placements in Gaussian processes",
        JMLR: greedy entropy. The covariance is that of members or joint draws, never formed:
        pivoted Cholesky on the (S, K) matrix of draws.
    """

    settings: ClassVar[Mapping[str, Number]] = SCANNING

    def check(self, settings: Mapping[str, str | int | float | bool]) -> None:
        """Refuse settings that are unknown or out of range."""
        read_settings("max-variance", settings, self.settings)

    def choose(
        self, request: BatchRequest, rng: np.random.Generator, progress: Progress = silent
    ) -> Chosen:
        """Choose for any goal; a score is the epistemic SD left when it was chosen."""
        settings = read_settings("max-variance", request.settings, self.settings)
        unit = request.readout.unit
        rule = Rule(
            utility=lambda beliefs: beliefs[0].epistemic_sd,
            clause=lambda beliefs: doubt_clauses(beliefs[0], unit),
            joint=lambda noise, before, pool: VarianceGains(noise, before[..., 0], pool[..., 0]),
            # Mixtures have the covariance of the members, which is all that is looked at.
            mixes=False,
        )
        return choose_batch(request, rule, settings, rng, progress)


class VarianceGains:
    """The epistemic SD of K candidates, as measurements of some of them are foreseen.

    Args:
        noise_sd: SD of one well's noise.
        before: Draws of what is pending or chosen already, shape (S, C).
        pool: Draws of the K candidates, shape (S, K).

    Cost:
        O(S^2 + K S) for each candidate added.
    """

    def __init__(self, noise_sd: float, before: Tensor, pool: Tensor) -> None:
        count = max(len(pool) - 1, 1)
        self._noise = noise_sd**2
        self._pool = (pool - pool.mean(dim=0)) / count**0.5
        self._begun = self._pool.square().sum(dim=0)
        self._left = self._begun.clone()
        self._left_of_draws = torch.eye(len(pool), dtype=pool.dtype)
        centred = (before - before.mean(dim=0)) / count**0.5
        for column in centred.T:
            self._foresee(column)

    def values(self) -> FloatArray:
        """The SD that is left, shape (K,), in the readout's unit."""
        # What is smaller is what rounding left of nothing, and would decide between equals.
        nothing = self._left <= _ROUNDING * self._begun
        left: FloatArray = self._left.masked_fill(nothing, 0.0).sqrt().numpy()
        return left

    def add(self, position: int) -> None:
        """Foresee one measurement of a candidate."""
        self._foresee(self._pool[:, position])

    def _foresee(self, column: Tensor) -> None:
        """Condition every candidate on a noisy measurement of one, a column of shape (S,)."""
        direction = self._left_of_draws @ column
        variance = float(column @ direction) + self._noise
        if variance <= 0:
            return
        direction = direction / variance**0.5
        self._left_of_draws -= torch.outer(direction, direction)
        self._left -= (direction @ self._pool).square()
