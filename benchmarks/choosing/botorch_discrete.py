"""BoTorch's `optimize_acqf_discrete` over the same table of draws."""

import time

import torch
from botorch.acquisition.logei import qLogExpectedImprovement
from botorch.models.ensemble import EnsembleModel
from botorch.optim.optimize import optimize_acqf_discrete
from botorch.posteriors.ensemble import EnsemblePosterior
from botorch.posteriors.posterior import Posterior
from botorch.sampling.base import MCSampler
from torch import Tensor

from benchmarks.choosing.greedy import Choice


class Table(EnsembleModel):
    """A model that looks its members' values up; a row of `X` is a column of the table."""

    def __init__(self, draws: Tensor) -> None:
        super().__init__()
        self._draws = draws
        self._num_outputs = 1

    def forward(self, X: Tensor) -> Tensor:  # noqa: N803
        """Values, batch x members x q x 1."""
        return self._draws[:, X[..., 0].long()].movedim(0, -2)[..., None]


class EveryMember(MCSampler):
    """Draws every member exactly once, so that both sides see the same draws."""

    def forward(self, posterior: Posterior) -> Tensor:
        """Members first."""
        assert isinstance(posterior, EnsemblePosterior)
        return posterior.values.movedim(-3, 0)


def choose(draws: Tensor, best: float, size: int) -> Choice:
    """BoTorch's greedy choice, by the value that ours is (`fat=False`)."""
    value = qLogExpectedImprovement(
        Table(draws.double()),
        best_f=best,
        sampler=EveryMember(torch.Size([len(draws)]), seed=0),
        fat=False,
    )
    choices = torch.arange(draws.shape[1], dtype=torch.float64)[:, None]
    start = time.process_time()
    with torch.no_grad():
        rows, _ = optimize_acqf_discrete(value, q=size, choices=choices, max_batch_size=2_048)
    seconds = time.process_time() - start
    looked_at = size * draws.shape[1] - size * (size - 1) // 2
    return Choice([int(row) for row in rows[:, 0]], seconds, looked_at)
