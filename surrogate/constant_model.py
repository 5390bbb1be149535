"""A BoTorch model that says the same of every row."""

import torch
from botorch.models.model import Model
from botorch.posteriors.gpytorch import GPyTorchPosterior
from botorch.posteriors.posterior import Posterior
from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal
from torch import Tensor

from loop.ports.arrays import FloatArray


class ConstantModel(Model):
    """Normal with a fixed mean and SD for each of m readouts, independent over rows."""

    def __init__(self, mean: FloatArray, sd: FloatArray) -> None:
        """Hold mean and SD, each of shape (m,)."""
        super().__init__()
        self._mean = torch.as_tensor(mean)
        self._variance = torch.as_tensor(sd).square()

    @property
    def num_outputs(self) -> int:
        """The number of readouts, m."""
        return len(self._mean)

    @property
    def batch_shape(self) -> torch.Size:
        """No batch of models."""
        return torch.Size()

    def posterior(self, X: Tensor, *_: object, **__: object) -> Posterior:  # noqa: N803 (BoTorch's)
        """The posterior at X, shape (b, q, d)."""
        shape = X.shape[:-1]
        each = [
            MultivariateNormal(
                mean.to(X).expand(shape), torch.diag_embed(variance.to(X).expand(shape))
            )
            for mean, variance in zip(self._mean, self._variance, strict=True)
        ]
        joint = each[0]
        if len(each) > 1:
            joint = MultitaskMultivariateNormal.from_independent_mvns(each)
        return GPyTorchPosterior(joint)
