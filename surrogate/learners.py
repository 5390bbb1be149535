"""Groups of members that take their training steps in turn or side by side.

Given the same minibatch, members do not depend on one another. On a CPU a step of all of them is
bound by memory traffic as soon as their activations outgrow the cache, so they go in groups of
some 2,000 rows together; the groups share the cores. Where memory runs out a group is halved,
and a single member takes a minibatch in pieces: the numbers stay the same within rounding.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from loop.domain.errors import InvalidError
from surrogate.lesson import Lesson
from surrogate.members import Members
from surrogate.memory import ran_out
from surrogate.optimiser import BlockAdam
from surrogate.precision import FULL, Precision

_ROWS_PER_GROUP = 2_048


@dataclass(frozen=True, slots=True)
class Teaching:
    """What does not change from step to step: the number of `rows` in all, the tails, how exactly.

    `tails` are the degrees of freedom of the noise (Student's t); 0 for a normal.
    """

    rows: int
    tails: float = 0.0
    precision: Precision = FULL


def loss(members: Members, part: Lesson, seen: Tensor, tails: float) -> Tensor:
    """The sum over rows and members of minus their log likelihood, up to a constant.

    `seen` says which of these members may see which of the rows, shape (M, N).
    """
    predicted = members(members.tables(part.items), part.rows).to(part.values.dtype)
    squared = (predicted - part.values).square() * (part.weights * seen[:, :, None])
    squared = squared / members.scales.noise**2
    if tails:
        squared = (tails + 1) * torch.log1p(squared / tails)
    cost: Tensor = 0.5 * squared.sum()
    return cost


class Learners:
    """All members of an ensemble in groups; a context that ends its threads."""

    def __init__(
        self,
        members: Members,
        optimiser: BlockAdam,
        rows: int,
        teaching: Teaching,
    ) -> None:
        """Make groups for minibatches of so many `rows`.

        They do not depend on the number of cores, so neither do the numbers.
        """
        count = members.shape.members
        on_cpu = members.contexts.device.type == "cpu"
        groups = -(-count * rows // _ROWS_PER_GROUP) if on_cpu else 1
        groups = min(groups, count)
        bounds = [count * group // groups for group in range(groups + 1)]
        self._groups = [
            _Group(members.part(chosen), optimiser, chosen, teaching)
            for chosen in (slice(*pair) for pair in itertools.pairwise(bounds))
        ]
        self._threads = min(torch.get_num_threads(), groups) if on_cpu else 1
        self._said = ""
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        """Start the threads, if there are to be several."""
        self._pool = None
        if self._threads > 1:
            before = torch.get_num_threads()
            torch.set_num_threads(1)
            self._exits.callback(torch.set_num_threads, before)
            self._pool = self._exits.enter_context(ThreadPoolExecutor(self._threads))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the threads."""
        self._exits.close()

    def step(self, part: Lesson, learning_rate: float, number: int) -> str:
        """Let every member take a step; returns how members take turns, or nothing.

        Raises:
            InvalidError: If there is no memory for one row of one member.
        """

        def take(group: _Group) -> list[_Group]:
            return group.step(part, learning_rate, number)

        answers = list(
            self._pool.map(take, self._groups) if self._pool else map(take, self._groups)
        )
        before = len(self._groups)
        self._groups = [group for answer in answers for group in answer]
        if len(self._groups) > before or any(group.pieces > 1 for group in self._groups):
            most = max(group.size for group in self._groups)
            self._said = f" (memory ran out: at most {most} members at a time)"
        return self._said


class _Group:
    """Some members, taking their steps together."""

    def __init__(
        self,
        members: Members,
        optimiser: BlockAdam,
        chosen: slice,
        teaching: Teaching,
        pieces: int = 1,
    ) -> None:
        self._members = members
        self._whole = optimiser
        self._chosen = chosen
        self._teaching = teaching
        self._anchors = members.anchors()
        self._optimiser = optimiser.part([each.parameter for each in self._anchors], chosen)
        self._loss = teaching.precision.compiled(loss)
        self.pieces = pieces

    @property
    def size(self) -> int:
        """How many members there are."""
        return int(self._chosen.stop - self._chosen.start)

    def step(self, part: Lesson, learning_rate: float, number: int) -> "list[_Group]":
        """Take a step; returns the groups that took it in the end: this one, or its halves."""
        failed = False
        try:
            self._gradients(part)
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
            failed = True
        if not failed:
            for each in self._anchors:
                each.pull(1 / self._teaching.rows)
            self._optimiser.step(learning_rate, number)
            self._members.zero_grad()
            return [self]
        # Outside the handler: the error's traceback holds on to every tensor of the failed step.
        self._members.zero_grad()
        halves = self._smaller(len(part))
        return [group for half in halves for group in half.step(part, learning_rate, number)]

    def _gradients(self, part: Lesson) -> None:
        rows = len(part)
        size = -(-rows // self.pieces)
        for start in range(0, rows, size):
            piece = part.cut(slice(start, start + size))
            with self._teaching.precision.computing(part.values.device):
                seen = piece.seen[self._chosen]
                cost = self._loss(self._members, piece, seen, self._teaching.tails)
            torch.autograd.backward(cost / rows)

    def _smaller(self, rows: int) -> "list[_Group]":
        middle = (self._chosen.start + self._chosen.stop) // 2
        if self.size > 1:
            cuts = [slice(self._chosen.start, middle), slice(middle, self._chosen.stop)]
            pieces = self.pieces
        elif self.pieces < rows:
            cuts, pieces = [self._chosen], 2 * self.pieces
        else:
            msg = (
                "There is not enough memory to train one member on one well at a time; set "
                "smaller `width`, `state` or `interaction` under [surrogate]."
            )
            raise InvalidError(msg)
        start = self._chosen.start
        return [
            _Group(
                self._members.part(slice(cut.start - start, cut.stop - start)),
                self._whole,
                cut,
                self._teaching,
                pieces,
            )
            for cut in cuts
        ]
