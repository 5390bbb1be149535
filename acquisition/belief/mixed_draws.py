"""As many joint draws as a batch needs, out of the few members that a surrogate has."""

import math

import torch
from torch import Tensor


def enough_draws(members: Tensor, size: int, count: int, seed: int) -> Tensor:
    """Draws that do not saturate before a batch of `size` is full, float64.

    With S draws no joint rule can tell candidates apart after about S picks (`evidence.md` A5),
    so members are kept as they are where there are 4 q of them, or as many as were asked for.

    Args:
        members: Joint draws or members, shape (S, N, R).
        size: q.
        count: How many draws are wanted where there are too few members.
        seed: The same seed gives the same mixtures, whatever N is.

    Returns:
        The members, shape (S, N, R), or mixtures of them, shape (`count` rounded up to even, N, R).
    """
    if len(members) >= min(4 * size, count):
        return members
    return mixed(members, count, seed)


def mixed(members: Tensor, count: int, seed: int) -> Tensor:
    """Random mixtures of members: mean + (members - mean)^T z / sqrt(S - 1), z standard normal.

    A normal distribution with the mean and the covariance (n - 1 below) of the members, between
    all candidates at once. Mixtures come in pairs mirrored at the mean, so their mean is exact.
    All candidates share the same z; O(count S N).
    """
    half, several = (count + 1) // 2, max(len(members) - 1, 1)
    generator = torch.Generator().manual_seed(seed % 2**63)
    weights = torch.randn(half, len(members), generator=generator, dtype=torch.float64)
    mean = members.mean(dim=0, keepdim=True)
    steps = torch.tensordot(weights / math.sqrt(several), members - mean, dims=1)
    return torch.cat([mean + steps, mean - steps])
