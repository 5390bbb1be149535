"""Whether a goal suits an acquisition, and what the goal makes of a value."""

from collections.abc import Collection

import torch
from torch import Tensor

from loop.domain.errors import InvalidError
from loop.domain.goal import Goal, Readout
from loop.ports.engine import BatchRequest


def check_goal(acquisition: str, request: BatchRequest, served: Collection[Goal]) -> None:
    """Refuse a goal that the acquisition does not serve.

    Raises:
        InvalidError: If it does not, or hits are sought and the readout has no threshold.
    """
    if request.goal not in served:
        names = " and ".join(repr(goal.value) for goal in served)
        msg = (
            f"Acquisition {acquisition!r} does not serve goal {request.goal.value!r}, only "
            f"{names}; choose acquisition 'auto'."
        )
        raise InvalidError(msg)
    if request.goal is Goal.FIND_HITS and not request.readout.has_threshold:
        msg = (
            f"Acquisition {acquisition!r} needs a threshold for readout {request.readout.name!r} "
            "to know what a hit is; add threshold = [low, high]."
        )
        raise InvalidError(msg)


def sign_of(goal: Goal) -> float:
    """1 where larger is better, -1 where smaller is."""
    return -1.0 if goal is Goal.MINIMIZE else 1.0


def excess(values: Tensor, readout: Readout) -> Tensor:
    """How far values lie past the nearer threshold, negative before it; same shape."""
    return torch.maximum(values - readout.high, readout.low - values)
