"""Draws of a regression whose perturbagens also act on one another, by Gibbs sampling.

value = columns . w + sum over pairs {i, j} of a set of sum_r s_r u_ir u_jr + noise, with signs
s_r = +1, -1, +1, ... so that attraction and repulsion are both within reach. w is drawn given u,
then each u_i given all else (as in Bayesian matrix factorisation, Salakhutdinov and Mnih, 2008,
here symmetric), then the variance of u. Chains run side by side; each sees the rows of its group.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import solve_triangular
from torch import Tensor

from loop.ports.arrays import BoolArray, FloatArray, IntArray
from surrogate.bayesian_regression import Regression, transposed
from surrogate.linear_features import Columns

_SHAPE, _SCALE = 3.0, 0.16
_KEPT = 4
_START = 0.1


@dataclass(frozen=True, slots=True)
class Draws:
    """S draws: weights of columns (D, S), vectors of perturbagens (P, r, S)."""

    weights: FloatArray
    vectors: FloatArray

    def __call__(self, columns: Columns, components: IntArray) -> FloatArray:
        """What the draws say of N rows, shape (N, S); components (N, k), -1 where empty."""
        rank, draws = self.vectors.shape[1:]
        edged = np.concatenate([self.vectors, np.zeros((1, rank, draws))])
        total = np.zeros((len(components), rank, draws))
        squares = np.zeros_like(total)
        for slot in components.T:
            total += edged[slot]
            squares += edged[slot] ** 2
        paired: FloatArray = 0.5 * np.einsum("r,nrs->ns", signs(rank), total**2 - squares)
        return columns.times(self.weights) + paired


def signs(rank: int) -> FloatArray:
    """+1, -1, +1, ..., shape (r,)."""
    return np.where(np.arange(rank) % 2, -1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Rows:
    """What the chains learn from: n rows of one readout; components of shape (n, k)."""

    columns: Columns
    components: IntArray
    values: FloatArray
    wells: FloatArray


def drawn(
    rows: Rows,
    seen: BoolArray,
    prior: FloatArray,
    noise_variance: float,
    perturbagens: int,
    rank: int,
    sweeps: int,
    generator: torch.Generator,
    progress: Callable[[float], None],
) -> Draws:
    """Four draws of each of C chains, chain by chain, after half of the sweeps.

    A sweep costs O(P' (r^2 n' + r^3) C) for P' measured perturbagens with n' rows each.

    Args:
        rows: The observations.
        seen: Which rows each chain learns from, shape (C, n).
        prior: Prior variance of each column's weight, shape (D,).
        noise_variance: Of one well.
        perturbagens: P.
        rank: r.
        sweeps: How often everything is drawn.
        generator: Where randomness comes from.
        progress: Called with the share done.
    """
    groups, group_of = np.unique(seen, axis=0, return_inverse=True)
    solved = [
        Regression.solve(rows.columns, rows.values, rows.wells * group, prior, noise_variance)
        for group in groups
    ]
    precision = rows.wells[:, None] * seen.T / noise_variance
    pairs = _Pairs.of(rows.components, precision, rank, generator)
    kept: list[tuple[FloatArray, Tensor, Tensor]] = []
    spacing = max(sweeps // (2 * _KEPT), 1)
    for sweep in range(sweeps):
        left = rows.values[:, None] - pairs.said.numpy()
        weights = np.zeros((len(prior), len(seen)))
        normal = torch.randn(len(prior), len(seen), generator=generator, dtype=torch.float64)
        along = transposed(rows.columns, precision * left)
        for chain, group in enumerate(group_of.reshape(-1)):
            each = solved[group]
            spread = solve_triangular(each.factor.T, normal.numpy()[each.active, chain])
            weights[each.active, chain] = each.covariance @ along[each.active, chain] + spread
        told = rows.values[:, None] - rows.columns.times(weights)
        pairs.sweep(torch.as_tensor(told), generator)
        if (sweeps - 1 - sweep) % spacing == 0:
            kept.append((weights, pairs.vectors.clone(), pairs.variance.clone()))
        progress((sweep + 1) / sweeps)
    return _assembled(kept[-_KEPT:], solved[0], pairs.who, prior, perturbagens, generator)


def _assembled(
    kept: list[tuple[FloatArray, Tensor, Tensor]],
    solved: Regression,
    who: IntArray,
    prior: FloatArray,
    perturbagens: int,
    generator: torch.Generator,
) -> Draws:
    """All draws; what was never measured is drawn from the prior."""
    weights = np.concatenate([each for each, _, _ in kept], axis=1)
    vectors = torch.cat([each[:-1] for _, each, _ in kept], dim=2).numpy()
    sds = torch.cat([each for _, _, each in kept]).sqrt().numpy()
    count, rank = weights.shape[1], vectors.shape[1]
    fresh = torch.randn(len(prior), count, generator=generator, dtype=torch.float64).numpy()
    # In pairs of opposite sign, so that what is not known has mean 0.
    fresh[:, count // 2 :] = -fresh[:, : count - count // 2]
    unmet = np.setdiff1d(np.arange(len(prior)), solved.active)
    weights[unmet] = fresh[unmet] * np.sqrt(prior[unmet])[:, None]
    every = torch.randn(perturbagens, rank, count, generator=generator, dtype=torch.float64)
    table = every.numpy() * sds
    table[who] = vectors
    return Draws(weights, table)


@dataclass(slots=True)
class _Pairs:
    """The vectors of the measured perturbagens in C chains, and what they say of each row.

    `who` are their positions, (P',); `rows_of` the rows of each; `precision` (n, C);
    `vectors` (P' + 1, r, C), the last for empty slots; `total` and `squares` are sums over the
    items of a row of u and u^2, (n, r, C); `variance` of u in each chain, (C,).
    """

    who: IntArray
    rows_of: list[Tensor]
    precision: Tensor
    vectors: Tensor
    total: Tensor
    squares: Tensor
    variance: Tensor
    signs: Tensor

    @classmethod
    def of(
        cls, components: IntArray, precision: FloatArray, rank: int, generator: torch.Generator
    ) -> "_Pairs":
        several = (components >= 0).sum(axis=1) > 1
        who = np.unique(components[several][components[several] >= 0])
        places = np.full(components.shape, len(who))
        filled = several[:, None] & (components >= 0)
        places[filled] = np.searchsorted(who, components[filled])
        rows, _ = np.nonzero(filled)
        order = np.argsort(places[filled], kind="stable")
        bounds = np.searchsorted(places[filled][order], np.arange(1, len(who)))
        rows_of = [torch.as_tensor(part) for part in np.split(rows[order], bounds)]
        shape = len(who) + 1, rank, precision.shape[1]
        vectors = _START * torch.randn(*shape, generator=generator, dtype=torch.float64)
        vectors[-1] = 0.0
        held = vectors[torch.as_tensor(places)]
        return cls(
            who,
            rows_of if len(who) else [],
            torch.as_tensor(precision),
            vectors,
            held.sum(dim=1),
            held.square().sum(dim=1),
            torch.full((shape[2],), _SCALE / _SHAPE, dtype=torch.float64),
            torch.as_tensor(signs(rank))[:, None],
        )

    @property
    def said(self) -> Tensor:
        """The pairs' part of every row, shape (n, C)."""
        whole: Tensor = 0.5 * (self.signs * (self.total.square() - self.squares)).sum(dim=1)
        return whole

    def sweep(self, told: Tensor, generator: torch.Generator) -> None:
        """Draw every vector given the others, and their variance; `told` (n, C) is to be said."""
        for place, rows in enumerate(self.rows_of):
            self._draw(place, rows, told[rows], generator)
        count, rank, chains = self.vectors.shape
        if count > 1:
            scale = _SCALE + 0.5 * self.vectors.square().sum(dim=(0, 1))
            shape = _SHAPE + 0.5 * (count - 1) * rank
            gamma = torch.as_tensor(
                np.random.default_rng(_seed(generator)).gamma(shape, size=chains)
            )
            self.variance = scale / gamma

    def _draw(self, place: int, rows: Tensor, told: Tensor, generator: torch.Generator) -> None:
        old = self.vectors[place].clone()
        total, squares = self.total[rows], self.squares[rows]
        beside = self.signs * (total - old)
        said = 0.5 * (self.signs * (total.square() - squares)).sum(dim=1)
        left = told - said + (beside * old).sum(dim=1)
        design = beside.permute(2, 0, 1)
        weighted = design * self.precision[rows].T[:, :, None]
        identity = torch.eye(len(old), dtype=torch.float64)
        factor = torch.linalg.cholesky(
            weighted.transpose(1, 2) @ design + identity / self.variance[:, None, None]
        )
        along = (weighted * left.T[:, :, None]).sum(dim=1)[:, :, None]
        normal = torch.randn(along.shape, generator=generator, dtype=torch.float64)
        spread = torch.linalg.solve_triangular(factor.transpose(1, 2), normal, upper=True)
        new = (torch.cholesky_solve(along, factor) + spread)[:, :, 0].T
        self.vectors[place] = new
        self.total[rows] = total + (new - old)
        self.squares[rows] = squares + new.square() - old.square()


def _seed(generator: torch.Generator) -> int:
    return int(torch.randint(2**62, (1,), generator=generator))
