"""One readout of a Gaussian process that is summed up at Z inducing perturbations.

The closed form of Titsias (2009): the posterior of the values at the inducing perturbations that
is nearest to the exact one. In whitened coordinates v (values = L v, with K_uu = L L^T) it is
normal with precision B = I + A A^T, where A = L^-1 K_un diag(noise)^-1/2. With all n perturbations
inducing it is the exact process.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

_JITTER = 1e-8
_NOISE_JITTER = 1e-6
_EXPLAINED = 1e-4
_LEAST = 1e-9

Chunk = tuple[Tensor, Tensor, Tensor, Tensor]
"""Of some rows: covariance with the inducing ones (N, Z), prior variance, values, wells (N,)."""


@dataclass(frozen=True, slots=True)
class SparseProcess:
    """What is needed to predict from Z inducing perturbations, in standard units, float64.

    Attributes:
        logs: Log variances of the kernel's parts and the noise, shape (parts + 1,).
        factor: L, shape (Z, Z).
        inner: Cholesky factor of B, shape (Z, Z).
        mean: Mean of v, shape (Z,).
        weights: What the covariance with the inducing perturbations is worth in the mean, (Z,).
        reach: (Z, Z); the data take |covariance @ reach|^2 from the prior variance.
    """

    logs: Tensor
    factor: Tensor
    inner: Tensor
    mean: Tensor
    weights: Tensor
    reach: Tensor

    @classmethod
    def of(cls, logs: Tensor, factor: Tensor, inner: Tensor, mean: Tensor) -> "SparseProcess":
        """From what is stored, in O(Z^3)."""
        # Sums depend on how a matrix lies in memory: the same here as after a restore.
        factor, inner = factor.contiguous(), inner.contiguous()
        values, vectors = torch.linalg.eigh(inner @ inner.T)
        reach = _above(factor, vectors * (1 - 1 / values.clamp(min=1.0)).sqrt())
        weights = _above(factor, mean[:, None])[:, 0]
        return cls(logs, factor, inner, mean, weights, reach)

    @classmethod
    def solve(
        cls, inducing: Tensor, chunks: Callable[[], Iterable[Chunk]], logs: Tensor
    ) -> "SparseProcess":
        """Solve for given variances in O(n Z^2), one chunk in memory at a time.

        `inducing` is K_uu, shape (Z, Z).
        """
        size = inducing.diagonal().mean().clamp(min=_LEAST) if len(inducing) else 1.0
        identity = torch.eye(len(inducing)).to(inducing)
        factor = torch.linalg.cholesky(inducing + _JITTER * size * identity)
        precision, along = identity.clone(), inducing.new_zeros(len(inducing))
        for cross, _, values, wells in chunks():
            weighted, scale = _weighted(factor, cross, wells, logs)
            precision += weighted @ weighted.T
            along += weighted @ (values / scale)
        inner = torch.linalg.cholesky(precision)
        return cls.of(logs, factor, inner, torch.cholesky_solve(along[:, None], inner)[:, 0])

    @property
    def noise_variance(self) -> float:
        """Of one well."""
        return float(self.logs[-1].exp())

    def updates(self, prior: Tensor, normal: Tensor) -> Tensor:
        """What each draw gives the covariance with the inducing perturbations, (Z, S).

        `prior` are the prior draws there, (Z, S); `normal` standard normal, (Z, S).
        """
        spread = _above(self.inner, normal)
        before = torch.linalg.solve_triangular(self.factor, prior, upper=False)
        return _above(self.factor, self.mean[:, None] + spread - before)

    def leave_one_out(self, chunks: Iterable[Chunk]) -> tuple[Tensor, Tensor]:
        """Mean and variance of each row's truth had it not been observed, each (n,).

        In closed form, as for the exact process (Rasmussen and Williams, 2006, eq. 5.12) with
        K_nn replaced by its part through the inducing perturbations; what they do not explain of
        a row's prior variance is added. The places of the inducing perturbations stay.
        """
        means, variances = [], []
        for cross, own, values, wells in chunks:
            weighted, scale = _weighted(self.factor, cross, wells, self.logs)
            half = torch.linalg.solve_triangular(self.inner, weighted, upper=False)
            leverage = half.square().sum(dim=0).clamp(max=1 - 1e-9)
            left = (values / scale - weighted.T @ self.mean) / scale
            precision = (1 - leverage) / scale.square()
            unexplained = own - (weighted.square().sum(dim=0) * scale.square())
            means.append(values - left / precision)
            variances.append(1 / precision - scale.square() + unexplained.clamp(min=0.0))
        return torch.cat(means), torch.cat(variances).clamp(min=_LEAST)


def _weighted(factor: Tensor, cross: Tensor, wells: Tensor, logs: Tensor) -> tuple[Tensor, Tensor]:
    """A's columns of some rows, (Z, N), and the SD of the noise of each row, (N,)."""
    scale = (logs[-1].exp() / wells + _NOISE_JITTER).sqrt()
    return torch.linalg.solve_triangular(factor, cross.T, upper=False) / scale, scale


def _above(factor: Tensor, right: Tensor) -> Tensor:
    """factor^-T right."""
    solved: Tensor = torch.linalg.solve_triangular(factor.T, right, upper=True)
    return solved


def most_telling(own: Tensor, column: Callable[[int], Tensor], most: int) -> Tensor:
    """Which of n perturbations to take as inducing, at most `most`, in the order of choice.

    Each is the one whose prior variance the others explain least: a pivoted Cholesky
    decomposition (as in Burt et al., 2020). It stops where what is left is 1/10,000 of the mean
    prior variance. The cost is O(n most^2), the memory O(n most).

    Args:
        own: Prior variances, shape (n,).
        column: Prior covariance of one perturbation with all, shape (n,).
        most: How many at most.
    """
    left = own.clone()
    least = _EXPLAINED * float(own.mean()) if len(own) else 0.0
    explained = own.new_zeros(min(most, len(own)), len(own))
    chosen: list[int] = []
    for rank in range(len(explained)):
        pivot = int(left.argmax())
        if float(left[pivot]) <= max(least, _LEAST):
            break
        row = column(pivot) - explained[:rank, pivot] @ explained[:rank]
        explained[rank] = row / left[pivot].sqrt()
        left = (left - explained[rank].square()).clamp(min=0.0)
        left[pivot] = 0.0
        chosen.append(pivot)
    return torch.tensor(chosen, dtype=torch.int64, device=own.device)
