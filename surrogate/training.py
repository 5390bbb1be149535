"""Training all members at once: minibatches, one clipped gradient per member, a cosine schedule."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from loop.ports.engine import Progress
from surrogate.encoding import Items, Rows
from surrogate.members import Members
from surrogate.optimiser import BlockAdam

_ROWS_PER_STEP = 1024
_WARM_UP = 0.1


@dataclass(frozen=True, slots=True)
class Lesson:
    """What there is to learn from, on the device.

    Attributes:
        items: The distinct items of all rows.
        rows: n perturbations in terms of the items.
        values: Standardised readouts, shape (n, m); 0 where missing.
        weights: Weight of each value for each member, shape (M, n, m); 0 where the value is
            missing or the member must not see the row.
    """

    items: Items
    rows: Rows
    values: Tensor
    weights: Tensor


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how hard to train.

    `steps` are for up to 1,024 rows; more rows take more steps, as the square root of the
    number of minibatches.
    """

    steps: int
    learning_rate: float


def train(
    members: Members,
    lesson: Lesson,
    schedule: Schedule,
    generator: torch.Generator,
    progress: Progress,
) -> None:
    """Fit every member to its own rows, by `steps` of `BlockAdam`.

    The loss is the sum over members of each one's minus log posterior; its gradient falls apart
    into members, and is clipped for each alone.
    """
    n = len(lesson.values)
    size = min(n, _ROWS_PER_STEP)
    steps = max(1, round(schedule.steps * math.sqrt(math.ceil(n / size))))
    parameters = [each for each in members.parameters() if each.numel()]
    optimiser = BlockAdam(parameters)
    share = _warm_cosine(steps)
    order = torch.empty(0, dtype=torch.int64)
    for step in range(steps):
        if len(order) < size:
            order = torch.cat([order, torch.randperm(n, generator=generator)])
        rows, order = order[:size], order[size:]
        members.zero_grad()
        torch.autograd.backward(loss(members, lesson, rows.to(lesson.values.device)))
        clip_each_member(parameters)
        optimiser.step(schedule.learning_rate * share(step))
        progress((step + 1) / steps, "training the ensemble")


def loss(members: Members, lesson: Lesson, rows: Tensor) -> Tensor:
    """The sum over members of minus their log posterior per row, estimated on some rows."""
    weights = lesson.weights[:, rows]
    part = Rows(lesson.rows.places[rows], lesson.rows.contexts[rows])
    predicted = members(members.tables(lesson.items), part)
    squared = (predicted - lesson.values[rows]).square() * weights
    fit: Tensor = squared.sum(dim=(1, 2)) / (2 * members.scales.noise**2 * len(rows))
    return (fit + members.prior() / len(lesson.values)).sum()


def clip_each_member(parameters: list[nn.Parameter], largest: float = 1.0) -> None:
    """Scale each member's gradient to a norm of at most `largest`.

    Clipping the stacked gradient as a whole would let one member slow all others.
    """
    gradients = [each.grad for each in parameters if each.grad is not None]
    squares = torch.stack([each.flatten(1).square().sum(dim=1) for each in gradients]).sum(dim=0)
    factor = (largest / squares.sqrt().clamp(min=1e-12)).clamp(max=1.0)
    for gradient in gradients:
        gradient.mul_(factor.view(-1, *[1] * (gradient.dim() - 1)))


def _warm_cosine(steps: int) -> Callable[[int], float]:
    """The share of the learning rate at each step: a short rise, then half a cosine to 0."""
    warm_up = max(1, round(_WARM_UP * steps))

    def share(step: int) -> float:
        rising = min(1.0, (step + 1) / warm_up)
        return rising * 0.5 * (1 + math.cos(math.pi * step / steps))

    return share
