"""One readout of an exact Gaussian process: solved once, then asked."""

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.variances import covariance


@dataclass(frozen=True, slots=True)
class ExactProcess:
    """What is needed to predict from n observations of one readout, in standard units.

    Attributes:
        rows: Which rows of the training set have a value, shape (n,).
        logs: Log variances of the kernel's parts and the noise, shape (parts + 1,).
        inverse_factor: Inverse of the Cholesky factor of the observations' covariance, (n, n).
        inverse: Inverse of that covariance, (n, n).
        weights: That inverse times the values, shape (n,).
        wells: Wells behind each value, shape (n,).
        values: Standardised values, shape (n,).
    """

    rows: Tensor
    logs: Tensor
    inverse_factor: Tensor
    inverse: Tensor
    weights: Tensor
    wells: Tensor
    values: Tensor

    @classmethod
    def solve(
        cls, parts: Tensor, rows: Tensor, values: Tensor, wells: Tensor, logs: Tensor
    ) -> "ExactProcess":
        """Solve for given variances, in O(n^3); `parts` of shape (parts, n, n), float64."""
        factor = torch.linalg.cholesky(covariance(parts, wells, logs))
        identity = torch.eye(len(values), dtype=parts.dtype, device=parts.device)
        inverse_factor = torch.linalg.solve_triangular(factor, identity, upper=False)
        inverse = inverse_factor.T @ inverse_factor
        return cls(rows, logs, inverse_factor, inverse, inverse @ values, wells, values)

    @property
    def noise_variance(self) -> float:
        """Of one well."""
        return float(self.logs[-1].exp())

    def cross(self, parts: Tensor) -> Tensor:
        """Covariance with the observations, (N, n), from the parts between (parts, N, all rows)."""
        variances = self.logs[:-1].exp().to(parts)
        every: Tensor = torch.tensordot(variances, parts, dims=1)
        return every[:, self.rows]

    def own(self, parts: Tensor) -> Tensor:
        """Prior covariance of perturbations, from the parts of it, any shape (parts, ...)."""
        whole: Tensor = torch.tensordot(self.logs[:-1].exp().to(parts), parts, dims=1)
        return whole

    def leave_one_out(self) -> tuple[Tensor, Tensor]:
        """Mean and variance of each row's truth had it not been observed, each (n,).

        In closed form (Rasmussen and Williams, 2006, eq. 5.12), the row's own noise taken out.
        """
        precision = self.inverse.diagonal()
        mean = self.values - self.weights / precision
        variance = 1 / precision - self.noise_variance / self.wells
        return mean, variance.clamp(min=1e-9)
