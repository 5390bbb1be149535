"""How far each observation moves a prediction from the prior mean.

The mean of a Gaussian process is linear in what was observed, m(x) = k(x, X) K^-1 y (Rasmussen
and Williams, 2006, eq. 2.25), so the move by observation i is its weight (k(x, X) K^-1)_i times
y_i, and all moves sum to the mean. An ensemble of networks has no such weights; those of the
process with its learned variances stand in for them.
"""

import numpy as np
import torch
from torch import Tensor

from loop.ports.arrays import Combinations, FloatArray, IntArray
from surrogate.encoding import Encoder
from surrogate.exact_process import ExactProcess
from surrogate.set_kernel import Encoded, SetKernel

LARGEST = 2_000
"""The most observations that `approximate_moves` solves; the cost grows with their cube."""
_CHUNK = 256
_CANDIDATES = 4_096


@torch.no_grad()
def exact_moves(
    process: ExactProcess,
    encoder: Encoder,
    kernel: SetKernel,
    observed: Encoded,
    asked: Combinations,
) -> FloatArray:
    """Moves of N predictions by the n rows of `observed`, shape (N, n), in standard units.

    They sum to the process's mean; rows without a value are 0. O(N n^2), a chunk of N at a time.

    Args:
        process: One readout, solved on those rows of `observed` that have a value.
        encoder: That of the process, float64.
        kernel: That of the process.
        observed: The training set, encoded.
        asked: The N perturbations.
    """
    weights = process.inverse * process.values
    moves = np.zeros((len(asked), len(observed.rows.contexts)))
    rows = process.rows.cpu().numpy()
    for start in range(0, len(asked), _CHUNK):
        part = slice(start, start + _CHUNK)
        between = kernel.between(Encoded(*encoder(asked[part])), observed)
        moves[part, rows] = (process.cross(between) @ weights).cpu().numpy()
    return moves


@torch.no_grad()
def approximate_moves(
    encoder: Encoder,
    kernel: SetKernel,
    logs: Tensor,
    observed: Combinations,
    standard: FloatArray,
    wells: IntArray,
    asked: Combinations,
) -> FloatArray:
    """Moves of N predictions as a Gaussian process would have them, (N, n), in standard units.

    An approximation: the surrogate itself is no such process, and only the 2,000 observations
    most alike to what is asked take part; all others are 0. O(2,000^3 + n N).

    Args:
        encoder: That of the surrogate, float64.
        kernel: That of the surrogate, float64.
        logs: Log variances of the kernel's parts and the noise, shape (parts + 1,).
        observed: The training set's n perturbations.
        standard: Standardised values of one readout, shape (n,), NaN where missing.
        wells: Wells behind each value, shape (n,).
        asked: The N perturbations.
    """
    moves = np.zeros((len(asked), len(observed)))
    rows = np.flatnonzero(np.isfinite(standard))
    if not len(rows) or not len(asked):
        return moves
    if len(rows) > LARGEST:
        likeness = _likeness(encoder, kernel, logs, observed[rows], asked)
        rows = rows[np.sort(np.argsort(-likeness, kind="stable")[:LARGEST])]
    near = Encoded(*encoder(observed[rows]))
    parts = kernel.between(near, near)
    values = torch.as_tensor(standard[rows], device=parts.device)
    counts = torch.as_tensor(np.maximum(wells[rows], 1), device=parts.device).to(parts)
    every = torch.arange(len(rows), device=parts.device)
    process = ExactProcess.solve(parts, every, values, counts, logs)
    moves[:, rows] = exact_moves(process, encoder, kernel, near, asked)
    return moves


def _likeness(
    encoder: Encoder, kernel: SetKernel, logs: Tensor, observed: Combinations, asked: Combinations
) -> FloatArray:
    """The largest correlation of each observation with anything that is asked, shape (n,).

    Of what is asked the first 256 decide.
    """
    questions = Encoded(*encoder(asked[slice(0, _CHUNK)]))
    found = []
    for start in range(0, len(observed), _CANDIDATES):
        block = Encoded(*encoder(observed[slice(start, start + _CANDIDATES)]))
        parts = kernel.between(questions, block)
        variances = logs[:-1].exp().to(parts)
        covariance = torch.tensordot(variances, parts, dims=1).abs().amax(dim=0)
        own = torch.tensordot(variances, kernel.own(block), dims=1)
        found.append(covariance / own.clamp(min=1e-12).sqrt())
    whole: FloatArray = torch.cat(found).cpu().numpy()
    return whole
