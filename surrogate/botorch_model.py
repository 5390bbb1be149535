"""A surrogate that answers with S members or draws, as a BoTorch model.

BoTorch's own sampler for ensembles draws member indices anew for each candidate, so candidates
are ranked by different members (overlap of the best 128 of 20,000 with the exact ranking: 59).
Here every member is taken exactly once, for all candidates: common random numbers. To that end
importing this module registers a sampler for `MemberPosterior` with BoTorch, as BoTorch's own
posteriors do.
"""

from collections.abc import Callable
from typing import Any

import torch
from botorch.acquisition.objective import PosteriorTransform
from botorch.models.ensemble import EnsembleModel
from botorch.posteriors.ensemble import EnsemblePosterior
from botorch.posteriors.posterior import Posterior
from botorch.sampling.base import MCSampler
from botorch.sampling.get_sampler import GetSampler
from torch import Tensor

from loop.ports.arrays import Combinations


class MemberPosterior(EnsemblePosterior):
    """An `EnsemblePosterior` whose sampler takes every member once."""


class EveryMember(MCSampler):
    """Every member once, whatever the sample shape asked for."""

    def forward(self, posterior: Posterior) -> Tensor:
        """All values, shape (S, batch, q, m)."""
        if not isinstance(posterior, MemberPosterior):
            msg = f"EveryMember serves MemberPosterior, not {type(posterior).__name__}"
            raise TypeError(msg)
        return torch.movedim(posterior.values, -3, 0)

    def _update_base_samples(self, posterior: Posterior, base_sampler: MCSampler) -> None:
        """There are none."""


@GetSampler.register(MemberPosterior)  # type: ignore[untyped-decorator]
def _every_member(
    posterior: MemberPosterior, sample_shape: torch.Size, *, seed: int | None = None
) -> MCSampler:
    return EveryMember(torch.Size([posterior.ensemble_size]), seed=seed)


class MemberModel(EnsembleModel):
    """The BoTorch `Model` over rows of `Combinations.features()`.

    `member_means` answers some perturbations with a tensor (S, N, m) in the readouts' units.
    """

    def __init__(self, member_means: Callable[[Combinations], Tensor], readouts: int) -> None:
        super().__init__()
        self._member_means = member_means
        self._num_outputs = readouts

    @property
    def batch_shape(self) -> torch.Size:
        """One model, no batch of models."""
        return torch.Size()

    def forward(self, X: Tensor) -> Tensor:  # noqa: N803
        """Means of every member, (batch, S, q, m) for X of shape (batch, q, 2k + 1)."""
        flat = X.detach().reshape(-1, X.shape[-1]).cpu().numpy()
        values = self._member_means(Combinations.of_features(flat)).to(X)
        shaped = values.reshape(values.shape[0], *X.shape[:-1], values.shape[-1])
        return torch.movedim(shaped, 0, -3)

    def posterior(  # type: ignore[override]  # BoTorch overrides its own method so
        self,
        X: Tensor,  # noqa: N803
        output_indices: list[int] | None = None,
        posterior_transform: PosteriorTransform | None = None,
        **kwargs: Any,
    ) -> Any:
        """The members' values as a posterior; of the truth, without the noise of a well."""
        plain = super().posterior(X, output_indices, **kwargs)
        every = MemberPosterior(plain.values)
        return every if posterior_transform is None else posterior_transform(every, X)
