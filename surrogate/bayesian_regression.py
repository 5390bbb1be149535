"""Bayesian linear regression on `Columns`, one readout: exact posterior, left-out rows, draws.

Columns of one group share a prior variance. Columns that no observation has keep their prior, and
so do those past the 2,048 that most observations have: what these would have taught is lost, and
their prior variance stays in every belief.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from scipy.linalg import cho_solve, solve_triangular

from loop.ports.arrays import FloatArray, IntArray
from surrogate.linear_features import Columns
from surrogate.variances import first_guess, learned_variances

_MOST_ACTIVE = 2_048
_ROWS_FOR_VARIANCES = 512
_LEAST_LEFT = 1e-6


@dataclass(frozen=True, slots=True)
class Regression:
    """The posterior of one readout's weights, in standard units.

    Attributes:
        noise_variance: Of one well.
        prior: Prior variance of every column, shape (D,).
        active: Which columns were learned, ascending, shape (A,).
        mean: Posterior mean of every column's weight, 0 where not learned, shape (D,).
        covariance: Posterior covariance of the active ones, shape (A, A).
        factor: Cholesky factor of the active ones' precision, shape (A, A).
    """

    noise_variance: float
    prior: FloatArray
    active: IntArray
    mean: FloatArray
    covariance: FloatArray
    factor: FloatArray

    @classmethod
    def solve(
        cls,
        columns: Columns,
        values: FloatArray,
        wells: FloatArray,
        prior: FloatArray,
        noise_variance: float,
    ) -> "Regression":
        """Solve for given variances, in O(n A q + A^3)."""
        active = _active(columns)
        precision = wells / noise_variance
        gram = _gram(columns, precision, active)
        gram[np.diag_indices(len(active))] += 1.0 / prior[active]
        factor = np.asarray(np.linalg.cholesky(gram), dtype=np.float64)
        covariance = cho_solve((factor, True), np.eye(len(active)))
        along = transposed(columns, precision * values)[active]
        mean = np.zeros(len(prior))
        mean[active] = covariance @ along
        return cls(noise_variance, prior, active, mean, covariance, factor)

    def marginals(self, columns: Columns) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the truth of N rows, each (N,)."""
        learned, untold = self._variances(columns)
        return columns.times(self.mean[:, None])[:, 0], learned + untold

    def leave_one_out(
        self, columns: Columns, values: FloatArray, wells: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of each row's truth had it not been observed, each (n,).

        In closed form (Sherman and Morrison, 1950).
        """
        mean = columns.times(self.mean[:, None])[:, 0]
        learned, untold = self._variances(columns)
        left = np.maximum(1.0 - learned * wells / self.noise_variance, _LEAST_LEFT)
        return values - (values - mean) / left, learned / left + untold

    def _variances(self, columns: Columns) -> tuple[FloatArray, FloatArray]:
        """The variance of the truth by learned columns and by the others, each (N,)."""
        thin, wide, count = _split(columns, self.active)
        reached = thin @ self.covariance[:count] + wide @ self.covariance[count:]
        learned = np.asarray(thin.multiply(reached[:, :count]).sum(axis=1)).ravel()
        learned = learned + (wide * reached[:, count:]).sum(axis=1)
        untold = self.prior.copy()
        untold[self.active] = 0.0
        squared = Columns(columns.sparse.power(2), columns.dense**2)
        return learned, squared.times(untold[:, None])[:, 0]

    def draws(self, count: int, generator: torch.Generator) -> FloatArray:
        """Weights of `count` draws in pairs of opposite sign about the mean, shape (D, count)."""
        half = torch.randn(len(self.prior), count // 2, generator=generator, dtype=torch.float64)
        normal = half.numpy()
        spread = normal * np.sqrt(self.prior)[:, None]
        spread[self.active] = solve_triangular(self.factor.T, normal[self.active], lower=False)
        drawn: FloatArray = self.mean[:, None] + np.concatenate([spread, -spread], axis=1)
        return drawn


def learned_group_variances(
    columns: Columns,
    groups: npt.NDArray[np.str_],
    values: FloatArray,
    wells: FloatArray,
    rng: np.random.Generator,
    steps: int,
) -> tuple[FloatArray, float]:
    """Prior variance of each column (D,) and the noise of one well, by the evidence.

    Learned from at most 512 rows drawn at random, by `surrogate.variances`.
    """
    rows = np.sort(rng.permutation(len(values))[:_ROWS_FOR_VARIANCES])
    some = columns[rows]
    names, places = np.unique(groups, return_inverse=True)
    parts = np.stack([_similarity(some, places == group) for group in range(len(names))])
    logs = learned_variances(
        torch.as_tensor(parts),
        torch.as_tensor(values[rows]),
        torch.as_tensor(wells[rows]),
        first_guess(len(names)),
        steps,
    ).numpy()
    return np.exp(logs[:-1])[places], float(np.exp(logs[-1]))


def _similarity(columns: Columns, kept: npt.NDArray[np.bool_]) -> FloatArray:
    edge = columns.sparse.shape[1]
    thin = columns.sparse[:, np.flatnonzero(kept[:edge])]
    wide = columns.dense[:, kept[edge:]]
    similar: FloatArray = np.asarray((thin @ thin.T).todense()) + wide @ wide.T
    return similar


def _active(columns: Columns) -> IntArray:
    """The columns that some row has, the most frequent ones where they are too many."""
    counts = np.concatenate(
        [columns.sparse.getnnz(axis=0), np.full(columns.dense.shape[1], len(columns.dense) + 1)]
    )
    met = np.flatnonzero(counts)
    most = met[np.argsort(-counts[met], kind="stable")[:_MOST_ACTIVE]]
    chosen: IntArray = np.sort(most)
    return chosen


def _gram(columns: Columns, precision: FloatArray, active: IntArray) -> FloatArray:
    """X^T diag(precision) X of the active columns, shape (A, A)."""
    thin, wide, _ = _split(columns, active)
    heavy = thin.multiply(precision[:, None]).tocsr()
    corner = heavy.T @ wide
    return np.block(
        [
            [np.asarray((thin.T @ heavy).todense()), corner],
            [corner.T, wide.T @ (wide * precision[:, None])],
        ]
    )


def _split(columns: Columns, active: IntArray) -> tuple[sparse.csr_matrix, FloatArray, int]:
    """The active columns, sparse and dense, and how many are sparse."""
    edge = columns.sparse.shape[1]
    count = int((active < edge).sum())
    return columns.sparse[:, active[:count]], columns.dense[:, active[count:] - edge], count


def transposed(columns: Columns, values: FloatArray) -> FloatArray:
    """X^T values, shape (D,) or (D, S)."""
    return np.concatenate([columns.sparse.T @ values, columns.dense.T @ values])
