"""How much each part of a similarity matters: variances by marginal likelihood."""

import torch
from torch import Tensor

_JITTER = 1e-6
_PRIOR_LOG_VARIANCE = -2.5
_PRIOR_LOG_NOISE = -0.3
_PRIOR_WIDTH = 2.0


def learned_variances(
    parts: Tensor, values: Tensor, wells: Tensor, start: Tensor, steps: int
) -> Tensor:
    """Log variances of the parts and, last, of the noise of one well; shape (parts + 1,).

    They maximise the marginal likelihood of a Gaussian process (Rasmussen and Williams, 2006,
    eq. 2.30) with a broad normal prior on each, by `steps` of Adam. Each step costs O(n^3).

    Args:
        parts: Each part between the observations, shape (parts, n, n), float64.
        values: Standardised values, shape (n,).
        wells: Wells behind each value, shape (n,).
        start: Where to begin, shape (parts + 1,).
        steps: How many steps.
    """
    if not len(values):
        return start.clone()
    logs = start.to(parts.device).clone().requires_grad_()
    optimiser = torch.optim.Adam([logs], lr=0.15)
    with torch.enable_grad():
        for _ in range(steps):
            optimiser.zero_grad()
            torch.autograd.backward(_negative_log_posterior(parts, values, wells, logs))
            optimiser.step()
    return logs.detach().cpu()


def covariance(parts: Tensor, wells: Tensor, logs: Tensor) -> Tensor:
    """Covariance of the observations, shape (n, n)."""
    variances = logs.exp().to(parts.device)
    summed = torch.tensordot(variances[:-1], parts, dims=1)
    whole: Tensor = summed + torch.diag(variances[-1] / wells + _JITTER)
    return whole


def first_guess(parts: int) -> Tensor:
    """Where learning begins: little in each part, most in the noise."""
    guess = torch.full((parts + 1,), _PRIOR_LOG_VARIANCE, dtype=torch.float64)
    guess[-1] = _PRIOR_LOG_NOISE
    return guess


def _negative_log_posterior(parts: Tensor, values: Tensor, wells: Tensor, logs: Tensor) -> Tensor:
    factor = torch.linalg.cholesky(covariance(parts, wells, logs))
    solved = torch.cholesky_solve(values[:, None], factor)[:, 0]
    misfit = 0.5 * values @ solved + factor.diagonal().log().sum()
    prior = 0.5 * ((logs[:-1] - _PRIOR_LOG_VARIANCE) / _PRIOR_WIDTH).square().sum()
    noise = 0.5 * ((logs[-1] - _PRIOR_LOG_NOISE) / _PRIOR_WIDTH).square()
    whole: Tensor = misfit + prior + noise
    return whole
