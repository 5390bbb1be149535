"""Expected hits as a BoTorch acquisition function."""

import torch
from botorch.acquisition.monte_carlo import SampleReducingMCAcquisitionFunction
from botorch.acquisition.objective import MCAcquisitionObjective
from botorch.models.model import Model
from botorch.sampling.base import MCSampler
from torch import Tensor


def _sum(X: Tensor, *, dim: torch.Size) -> Tensor:  # noqa: N803 (BoTorch passes it by name)
    return X.sum(dim=dim)


class QExpectedHits(SampleReducingMCAcquisitionFunction):
    """The expected number of hits among q candidates, as `ExpectedHits` counts them.

    For those who optimise or compare with BoTorch. Each draw f of a candidate counts
    Phi((low - f) / noise) + 1 - Phi((high - f) / noise); draws are averaged and candidates
    summed. With a sampler that returns every member once it is exact.

    Args:
        model: Any BoTorch model.
        low: A value at or below is a hit; may be -inf.
        high: A value at or above is a hit; may be inf.
        noise_sd: SD of one well's noise, larger than 0.
        sampler: How draws are made; None: BoTorch's own for the posterior.
        objective: Which readout is meant; None: the only one.
    """

    def __init__(
        self,
        model: Model,
        low: float,
        high: float,
        noise_sd: float,
        sampler: MCSampler | None = None,
        objective: MCAcquisitionObjective | None = None,
    ) -> None:
        super().__init__(model, sampler=sampler, objective=objective, q_reduction=_sum)
        self._low = low
        self._high = high
        self._noise_sd = noise_sd

    def _sample_forward(self, obj: Tensor) -> Tensor:
        below = torch.special.ndtr((self._low - obj) / self._noise_sd)
        above = torch.special.ndtr((obj - self._high) / self._noise_sd)
        hits: Tensor = below + above
        return hits
