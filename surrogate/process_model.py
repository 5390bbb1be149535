"""An exact Gaussian process on sets as a BoTorch model: joint over q perturbations."""

from collections.abc import Callable
from typing import Any

import torch
from botorch.acquisition.objective import PosteriorTransform
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.posteriors.posterior import Posterior
from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal
from torch import Tensor

from loop.ports.arrays import Combinations

Joint = Callable[[Combinations], tuple[Tensor, Tensor]]
"""Means (q, m) and covariances (m, q, q) of q perturbations, in readout units, float64."""


class ProcessModel(Model):
    """The BoTorch `Model` over rows of `Combinations.features()`; of the truth, without noise.

    Each t-batch is solved in turn, so the cost is linear in their number.
    """

    def __init__(self, joint: Joint, readouts: int) -> None:
        super().__init__()
        self._joint = joint
        self._readouts = readouts

    @property
    def num_outputs(self) -> int:
        """The number of readouts, m."""
        return self._readouts

    @property
    def batch_shape(self) -> torch.Size:
        """One model, no batch of models."""
        return torch.Size()

    def posterior(
        self,
        X: Tensor,  # noqa: N803
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: PosteriorTransform | None = None,
        **_: Any,
    ) -> Posterior:
        """The joint posterior at X, shape (batch, q, 2k + 1)."""
        wanted = range(self._readouts) if output_indices is None else output_indices
        blocks = X.detach().reshape(-1, *X.shape[-2:]).cpu().numpy()
        solved = [self._joint(Combinations.of_features(block)) for block in blocks]
        means = torch.stack([mean for mean, _ in solved]).to(X)
        covariances = torch.stack([covariance for _, covariance in solved]).to(X)
        batch = X.shape[:-2]
        each = [
            MultivariateNormal(
                means[..., j].reshape(*batch, -1),
                covariances[:, j].reshape(*batch, X.shape[-2], X.shape[-2]),
            )
            for j in wanted
        ]
        joint = (
            each[0] if len(each) == 1 else MultitaskMultivariateNormal.from_independent_mvns(each)
        )
        posterior = GPyTorchPosterior(joint)
        return posterior if posterior_transform is None else posterior_transform(posterior, X)
