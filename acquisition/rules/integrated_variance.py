"""Integrated variance: the wells that leave least to doubt over the whole library."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from acquisition.batch import SCANNING
from acquisition.rules.foreseen import Foreseen, centred
from acquisition.rules.map_learning import choose_for_the_map
from acquisition.settings import Number, read_settings
from loop.ports.arrays import FloatArray
from loop.ports.engine import BatchRequest, Chosen, Progress, silent

_NAME = "integrated-variance"


class IntegratedVariance:
    """Choose what takes away most of the surrogate's variance, summed over the library.

    Unlike `max-variance` it has no use for a candidate that is unlike all others. The library is
    stood for by `judged` perturbations drawn uniformly; pending wells and earlier picks are
    believed. Serves every goal, since it looks at none. Covariances are those of the members or
    joint draws: with few of them chance likeness counts as likeness.

    Source:
        Seo et al. (2000), "Gaussian process regression: active data selection and test point
        rejection", IJCNN (the rule is Cohn's, 1996, for regression), a batch greedily.
    """

    settings: ClassVar[Mapping[str, Number]] = {**SCANNING, "judged": Number(512, 1)}

    def check(self, settings: Mapping[str, str | int | float | bool]) -> None:
        """Refuse settings that are unknown or out of range."""
        read_settings(_NAME, settings, self.settings)

    def choose(
        self, request: BatchRequest, rng: np.random.Generator, progress: Progress = silent
    ) -> Chosen:
        """Choose for any goal; a score is the share of the library's variance taken away.

        Of the variance before the batch, pending wells not believed, when it was chosen.
        """
        settings = read_settings(_NAME, request.settings, self.settings)
        return choose_for_the_map(
            request, settings, IntegratedVarianceGains, _share_of_variance, rng, progress
        )


def _share_of_variance(variances: Tensor, noise_sd: float) -> Tensor:
    total = variances.sum()
    return torch.ones_like(variances) / total if total > 0 else torch.zeros_like(variances)


class IntegratedVarianceGains:
    """The share of the variance of n judged candidates that each of K would take away.

    Args:
        noise_sd: SD of the noise of a measurement.
        judged: Draws of the judged, shape (S, n).
        pool: Draws of the K candidates, shape (S, K).

    Cost:
        O(S^2 + K S) a pick, whatever n is, after O(S^2 (n + K)).
    """

    def __init__(self, noise_sd: float, judged: Tensor, pool: Tensor) -> None:
        self._foreseen = Foreseen(noise_sd, pool)
        about = centred(judged)
        # x' about z: the sum over the judged of their covariances with x times those with z.
        self._about = about @ about.T
        self._total = float(about.square().sum())
        columns = self._foreseen.pool
        self._told = (columns * (self._about @ columns)).sum(dim=0)

    def values(self) -> FloatArray:
        """Shape (K,), of the variance before anything was foreseen; 0 where there is none."""
        of_measurement = self._foreseen.of_measurement * self._total
        # What rounding leaves of a candidate that is known must not be divided by itself.
        told = self._told.clamp_min(0).masked_fill(self._foreseen.known, 0.0)
        shares: FloatArray = (told / of_measurement.clamp_min(1e-300)).numpy()
        return shares

    def add(self, position: int) -> None:
        """Foresee a measurement of a candidate."""
        self.foresee(self._foreseen.pool[:, position])

    def foresee(self, column: Tensor) -> None:
        """Foresee a measurement of something with these centred draws, shape (S,)."""
        foreseen = self._foreseen
        direction = foreseen.direction(column)
        if direction is None:
            return
        about = foreseen.after @ (self._about @ direction)
        about_itself = float(direction @ self._about @ direction)
        with_pool = foreseen.condition(direction)
        self._told += with_pool * (about_itself * with_pool - 2 * (about @ foreseen.pool))
