"""Training all members at once: minibatches, one clipped gradient per member, a cosine schedule."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from loop.ports.engine import Progress
from surrogate.checkpoint import Checkpoint, Moment
from surrogate.learners import Learners, Teaching
from surrogate.lesson import Lesson
from surrogate.members import Members
from surrogate.optimiser import BlockAdam
from surrogate.precision import FULL, Precision

_ROWS_PER_STEP = 1024
_WARM_UP = 0.1


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how hard to train.

    `steps` are for up to 1,024 rows; more rows take more steps, as the square root of the
    number of minibatches. `tails` are the degrees of freedom of the noise; 0 for a normal.
    """

    steps: int
    learning_rate: float
    tails: float = 0.0


def train(
    members: Members,
    lesson: Lesson,
    schedule: Schedule,
    generator: torch.Generator,
    progress: Progress,
    checkpoint: Checkpoint | None = None,
    precision: Precision = FULL,
) -> None:
    """Fit every member to its own rows, by `steps` of `BlockAdam`.

    Each member minimises its own minus log posterior. Where `checkpoint` holds the moment of an
    earlier attempt at the same, training goes on from there and ends as if it had not stopped.
    A line of progress says where memory ran out and members had to take turns.
    """
    n = len(lesson.values)
    size = min(n, _ROWS_PER_STEP)
    steps = max(1, round(schedule.steps * math.sqrt(math.ceil(n / size))))
    optimiser = BlockAdam([each.parameter for each in members.anchors()])
    share = _warm_cosine(steps)
    moment = Moment(members, optimiser, generator)
    if checkpoint:
        checkpoint.recall(moment)
    teaching = Teaching(n, schedule.tails, precision)
    with Learners(members, optimiser, size, teaching) as learners:
        while moment.step < steps:
            part = lesson.minibatch(moment.drawn(size, n).to(lesson.values.device))
            rate = schedule.learning_rate * share(moment.step)
            moment.step += 1
            told = learners.step(part, rate, moment.step)
            if checkpoint and moment.step < steps:
                checkpoint.keep(moment)
                told += checkpoint.trouble
            progress(moment.step / steps, f"training the ensemble{told}")


def _warm_cosine(steps: int) -> Callable[[int], float]:
    """The share of the learning rate at each step: a short rise, then half a cosine to 0."""
    warm_up = max(1, round(_WARM_UP * steps))

    def share(step: int) -> float:
        rising = min(1.0, (step + 1) / warm_up)
        return rising * 0.5 * (1 + math.cos(math.pi * step / steps))

    return share
