"""Ridge regression of many outputs for each member, and what left-out rows would get."""

from dataclasses import dataclass

import torch
from torch import Tensor

_PENALTIES = tuple(10.0**power for power in range(-3, 5))


@dataclass(frozen=True, slots=True)
class Ridge:
    """Weights (M, f, m) of centred features, an offset (M, 1, m), and what rows left out would get.

    `left_out`, shape (M, n, m): each row as predicted from all others.
    """

    weight: Tensor
    offset: Tensor
    left_out: Tensor


def fit_ridge(features: Tensor, values: Tensor) -> Ridge:
    """Fit every output, with the penalty that predicts left-out rows best, one for each output.

    The cost is that of a singular value decomposition of n x f for each member.

    Args:
        features: Shape (M, n, f), n >= 2, in units of their own; they are scaled inside.
        values: Shape (n, m), finite.
    """
    centre = features.mean(dim=1, keepdim=True)
    scale = features.std(dim=1, keepdim=True).clamp(min=1e-9)
    left, sizes, right = torch.linalg.svd((features - centre) / scale, full_matrices=False)
    mean = values.mean(dim=0)
    along = left.transpose(1, 2) @ (values - mean)
    rows = len(values)
    best: Ridge | None = None
    best_error = torch.full((values.shape[1],), torch.inf, dtype=values.dtype, device=values.device)
    for penalty in _PENALTIES:
        shrink = sizes.square() / (sizes.square() + penalty)
        fitted = mean + left @ (shrink[:, :, None] * along)
        leverage = 1 / rows + (left.square() * shrink[:, None, :]).sum(dim=2)
        # A leverage of 1 leaves nothing of a row to predict it from.
        left_out = values - (values - fitted) / (1 - leverage).clamp(min=1e-6)[:, :, None]
        weight = right.transpose(1, 2) @ ((shrink / sizes.clamp(min=1e-12))[:, :, None] * along)
        weight = weight / scale.transpose(1, 2)
        this = Ridge(weight, mean - centre @ weight, left_out)
        error = (left_out.mean(dim=0) - values).square().mean(dim=0)
        better = error < best_error
        best = this if best is None else _either(better, this, best)
        best_error = torch.where(better, error, best_error)
    if best is None:
        raise AssertionError("there are penalties to try")
    return best


def _either(better: Tensor, one: Ridge, other: Ridge) -> Ridge:
    return Ridge(
        torch.where(better, one.weight, other.weight),
        torch.where(better, one.offset, other.offset),
        torch.where(better, one.left_out, other.left_out),
    )
