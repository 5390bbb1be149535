"""What is left to doubt about candidates once some of them will have been measured."""

import torch
from torch import Tensor

_ROUNDING = 1e-10
"""A smaller share of what a variance was at first is what rounding left of nothing."""


class Foreseen:
    """Covariances between candidates as joint draws tell them, given measurements to come.

    A measurement is foreseen by conditioning the draws' own Gaussian on it, whose value does not
    matter to what is left. Covariances are never formed; `after` is the (S, S) matrix that stands
    between draws: what is left between candidates x and z is x' `after` z, with `pool` their
    centred columns.

    Args:
        noise_sd: SD of the noise of what is measured.
        pool: Draws of the K candidates, shape (S, K).

    Cost:
        O(S^2 + K S) for each measurement; memory O(S^2 + K S).
    """

    def __init__(self, noise_sd: float, pool: Tensor) -> None:
        self.noise = noise_sd**2
        self.pool = centred(pool)
        self._begun = self.pool.square().sum(dim=0)
        self.variance = self._begun.clone()
        self.after = torch.eye(len(pool), dtype=pool.dtype, device=pool.device)

    @property
    def of_measurement(self) -> Tensor:
        """The variance of a measurement of each candidate, noise included, shape (K,)."""
        return self.variance.clamp_min(0) + self.noise

    @property
    def known(self) -> Tensor:
        """Which candidates nothing is left to doubt of but rounding, shape (K,)."""
        return gone(self.variance, self._begun)

    def direction(self, column: Tensor) -> Tensor | None:
        """What a measurement of a column, shape (S,), tells of the draws, shape (S,).

        A candidate x learns (direction' x) SDs of it. None: it tells nothing, for there is
        no doubt about it.
        """
        along = self.after @ column
        left = column @ along
        if gone(left, column @ column):
            return None
        told: Tensor = along / (float(left) + self.noise) ** 0.5
        return told

    def condition(self, direction: Tensor) -> Tensor:
        """Foresee the measurement with this direction; its covariance with each, shape (K,)."""
        self.after -= torch.outer(direction, direction)
        with_pool = direction @ self.pool
        self.variance -= with_pool.square()
        return with_pool


def gone(left: Tensor, begun: Tensor) -> Tensor:
    """Whether only rounding is left of variances, same shape."""
    return left <= _ROUNDING * begun


def centred(draws: Tensor) -> Tensor:
    """Columns whose products are covariances between candidates, from draws of shape (S, K)."""
    columns: Tensor = (draws - draws.mean(dim=0)) / max(len(draws) - 1, 1) ** 0.5
    return columns
