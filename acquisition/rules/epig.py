"""EPIG: the wells that tell most, in nats, of a well somewhere in the library."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from acquisition.batch import SCANNING
from acquisition.rules.foreseen import Foreseen, centred, gone
from acquisition.rules.map_learning import choose_for_the_map
from acquisition.settings import Number, read_settings
from loop.ports.arrays import FloatArray
from loop.ports.engine import BatchRequest, Chosen, Progress, silent

_NAME = "epig"
_AT_ONCE = 16
_KNOWN = 1e-12


class Epig:
    """Choose by expected predictive information gain: what a well tells of the library's wells.

    It is `integrated-variance` in nats: a judged perturbation counts by how far its own doubt
    would shrink relative to its noise, so that a few very uncertain ones do not outweigh the rest.
    The belief is taken as Gaussian with the covariances of the members or joint draws. Serves
    every goal, since it looks at none; pending wells are believed.

    Source:
        Bickford Smith et al. (2023), "Prediction-oriented Bayesian active learning", AISTATS,
        in the closed form for Gaussians; for a batch greedily, each given those before it.
    """

    settings: ClassVar[Mapping[str, Number]] = {**SCANNING, "judged": Number(512, 1)}

    def check(self, settings: Mapping[str, str | int | float | bool]) -> None:
        """Refuse settings that are unknown or out of range."""
        read_settings(_NAME, settings, self.settings)

    def choose(
        self, request: BatchRequest, rng: np.random.Generator, progress: Progress = silent
    ) -> Chosen:
        """Choose for any goal; a score is the mean of the nats told of a judged well."""
        settings = read_settings(_NAME, request.settings, self.settings)
        return choose_for_the_map(request, settings, EpigGains, _first_order, rng, progress)


def _first_order(variances: Tensor, noise_sd: float) -> Tensor:
    """-log(1 - r^2) / 2 is about r^2 / 2, and r^2 has the judged's variance below the line."""
    of_measurement = variances + noise_sd**2
    weights = torch.where(of_measurement > 0, 0.5 / of_measurement.clamp_min(1e-300), 0.0)
    return weights / max(len(weights), 1)


class EpigGains:
    """The mean information, in nats, that a well of each of K candidates has on the judged wells.

    Args:
        noise_sd: SD of the noise of a measurement, of the judged too.
        judged: Draws of the judged, shape (S, n).
        pool: Draws of the K candidates, shape (S, K).

    Cost:
        O(S^2 + K (S + n)) a pick and O(K n) memory, after O(K S n).
    """

    def __init__(self, noise_sd: float, judged: Tensor, pool: Tensor) -> None:
        self._foreseen = Foreseen(noise_sd, pool)
        self._judged = centred(judged)
        self._begun = self._judged.square().sum(dim=0)
        self._variance = self._begun.clone()
        self._covariance = self._foreseen.pool.T @ self._judged

    def values(self) -> FloatArray:
        """Shape (K,); 0 where nothing is in doubt."""
        judged = self._variance.clamp_min(0) + self._foreseen.noise
        in_doubt = ~gone(self._variance, self._begun)
        # What rounding leaves of what is known must not be divided by itself.
        over_root = _over_root(self._foreseen.of_measurement) * ~self._foreseen.known
        correlation = self._covariance * over_root[:, None]
        correlation *= _over_root(judged) * in_doubt
        # A judged candidate measured without noise is told everything: many nats, not infinity.
        left = correlation.square_().clamp_max_(1 - _KNOWN).neg_().add_(1)
        # A logarithm of a product costs a sixteenth of those of its factors.
        whole = left.shape[1] - left.shape[1] % _AT_ONCE
        logs = left[:, :whole].reshape(len(left), -1, _AT_ONCE).prod(dim=2).log().sum(dim=1)
        logs += left[:, whole:].log().sum(dim=1)
        nats: FloatArray = logs.mul(-0.5 / left.shape[1]).numpy()
        return nats

    def add(self, position: int) -> None:
        """Foresee a measurement of a candidate."""
        self.foresee(self._foreseen.pool[:, position])

    def foresee(self, column: Tensor) -> None:
        """Foresee a measurement of something with these centred draws, shape (S,)."""
        direction = self._foreseen.direction(column)
        if direction is None:
            return
        with_judged = direction @ self._judged
        with_pool = self._foreseen.condition(direction)
        self._variance -= with_judged.square()
        self._covariance -= torch.outer(with_pool, with_judged)


def _over_root(variances: Tensor) -> Tensor:
    """1 / SD, and 0 where there is nothing to know."""
    return torch.where(variances > 0, variances.clamp_min(1e-300).rsqrt(), 0.0)
