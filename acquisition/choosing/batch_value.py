"""What a batch is worth in every joint draw."""

import torch
from torch import Tensor

from acquisition.choosing.suits import sign_of
from loop.domain.goal import Goal
from loop.ports.arrays import FloatArray
from loop.ports.engine import BatchRequest


def batch_values(request: BatchRequest, draws: Tensor, noise_sd: float) -> FloatArray:
    """The value of q choices together in each of S joint draws, shape (S,).

    For hits: how many to expect given the draw, the wells' noise integrated. For an extreme: how
    far the best choice goes past the best so far, before noise. Other goals, and an extreme
    before anything was observed, have none: shape (0,).

    Args:
        request: The goal, the first readout's thresholds, and the best so far.
        draws: Of the first readout at the choices, shape (S, q).
        noise_sd: SD of a measurement's noise.
    """
    values = torch.empty(0, dtype=torch.float64)
    if request.goal is Goal.FIND_HITS:
        values = _hits(request, draws, noise_sd)
    elif request.goal in (Goal.MAXIMIZE, Goal.MINIMIZE) and request.best is not None:
        sign = sign_of(request.goal)
        values = (sign * draws - sign * request.best).amax(dim=1).clamp_min(0)
    answer: FloatArray = values.double().cpu().numpy()
    return answer


def _hits(request: BatchRequest, draws: Tensor, noise_sd: float) -> Tensor:
    # Where nothing is uncertain the normal becomes a step.
    sd = max(noise_sd, 1e-12)
    below = torch.special.ndtr((request.readout.low - draws) / sd)
    above = torch.special.ndtr((draws - request.readout.high) / sd)
    hits: Tensor = (below + above).sum(dim=1)
    return hits
