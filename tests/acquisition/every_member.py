"""A BoTorch sampler that draws every member of an ensemble exactly once."""

import torch
from botorch.posteriors.ensemble import EnsemblePosterior
from botorch.posteriors.posterior import Posterior
from botorch.sampling.base import MCSampler
from torch import Tensor


class EveryMember(MCSampler):
    def __init__(self, members: int) -> None:
        super().__init__(torch.Size([members]), seed=0)

    def forward(self, posterior: Posterior) -> Tensor:
        assert isinstance(posterior, EnsemblePosterior)
        return posterior.values.movedim(-3, 0)

    def _update_base_samples(self, posterior: Posterior, base_sampler: MCSampler) -> None:
        """Nothing is drawn, so nothing has to be kept in common."""
