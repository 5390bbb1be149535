"""What is left to doubt about candidates once some of them will have been measured."""

import torch
from torch import Tensor


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
        self.variance = self.pool.square().sum(dim=0)
        self.after = torch.eye(len(pool), dtype=pool.dtype, device=pool.device)

    @property
    def of_measurement(self) -> Tensor:
        """The variance of a measurement of each candidate, noise included, shape (K,)."""
        return self.variance.clamp_min(0) + self.noise

    def direction(self, column: Tensor) -> Tensor | None:
        """What a measurement of a column, shape (S,), tells of the draws, shape (S,).

        A candidate x learns (direction' x) SDs of it. None: it tells nothing, for there is
        neither doubt nor noise.
        """
        along = self.after @ column
        variance = float(column @ along) + self.noise
        return along / variance**0.5 if variance > 0 else None

    def condition(self, direction: Tensor) -> Tensor:
        """Foresee the measurement with this direction; its covariance with each, shape (K,)."""
        self.after -= torch.outer(direction, direction)
        with_pool = direction @ self.pool
        self.variance -= with_pool.square()
        return with_pool


def centred(draws: Tensor) -> Tensor:
    """Columns whose products are covariances between candidates, from draws of shape (S, K)."""
    columns: Tensor = (draws - draws.mean(dim=0)) / max(len(draws) - 1, 1) ** 0.5
    return columns
