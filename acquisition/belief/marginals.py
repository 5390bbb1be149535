"""The belief about each candidate by itself, as a mixture of normal distributions."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from loop.domain.errors import IncompatibleError

_QUANTILES = 64


@dataclass(frozen=True, slots=True)
class Marginals:
    """Beliefs about the goal's readout for N candidates: S equal components for each.

    An ensemble has a component for each member and no spread within it; a Gaussian posterior
    is one component. All float64 and in the readout's unit.

    Attributes:
        means: Means of the components, shape (S, N).
        within: Epistemic SD inside every component, shape (N,); None: zero.
        noise_sd: SD of a measurement's noise: one well, or the mean of its replicates.
    """

    means: Tensor
    within: Tensor | None
    noise_sd: float

    def __post_init__(self) -> None:
        """Refuse beliefs that are no numbers: they would win every comparison, or none."""
        parts = (self.means,) if self.within is None else (self.means, self.within)
        # A finite sum has finite parts, and is cheaper than looking at each of them.
        if not all(bool(part.sum().isfinite() or part.isfinite().all()) for part in parts):
            msg = "The surrogate predicts values that are not finite numbers; retrain it."
            raise IncompatibleError(msg)

    @property
    def mean(self) -> Tensor:
        """Mean, shape (N,)."""
        return self.means.mean(dim=0)

    @property
    def epistemic_sd(self) -> Tensor:
        """SD that more data would remove, shape (N,); between components, n - 1 below."""
        # torch.std says the same, but takes a tenth of a microsecond a candidate for it.
        squares = (self.means - self.mean).square_().sum(dim=0)
        between = squares.div_(max(len(self.means) - 1, 1)).sqrt_()
        return between if self.within is None else torch.hypot(between, self.within)

    @property
    def sd(self) -> Tensor:
        """SD of one new measurement, shape (N,)."""
        return (self.epistemic_sd**2 + self.noise_sd**2).sqrt()

    def chance_past(self, low: float, high: float) -> Tensor:
        """P(one new measurement <= low, or >= high), shape (N,); an infinite side is left out.

        Members' spread and noise are integrated exactly: the mean over components of
        Phi((low - mean) / sd) + 1 - Phi((high - mean) / sd).
        """
        variance = self.noise_sd**2 if self.within is None else self.within**2 + self.noise_sd**2
        # Where nothing is uncertain the normal becomes a step.
        sd = torch.as_tensor(variance, dtype=self.means.dtype).sqrt().clamp_min(1e-12)
        chance: Tensor = torch.zeros_like(self.means)
        if math.isfinite(low):
            chance += torch.special.ndtr((low - self.means) / sd)
        if math.isfinite(high):
            chance += torch.special.ndtr((self.means - high) / sd)
        return chance.mean(dim=0)

    def members(self) -> Tensor:
        """Values that stand for the epistemic spread, shape (S', N).

        The components themselves, or where these have a width 64 quantiles of each.
        """
        if self.within is None:
            return self.means
        middles = (torch.arange(_QUANTILES, dtype=torch.float64) + 0.5) / _QUANTILES
        steps = torch.special.ndtri(middles).to(self.means.device)
        spread: Tensor = steps[:, None, None] * self.within + self.means
        return spread.flatten(0, 1)
