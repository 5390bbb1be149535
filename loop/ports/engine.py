"""What the hub asks of the engine: surrogates, acquisitions, and the space between them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from loop.domain.goal import Goal, Readout
from loop.ports.arrays import (
    Belief,
    BoolArray,
    Combinations,
    IntArray,
    PriorScreen,
    Representations,
    SurrogateState,
    TrainingSet,
)

Progress = Callable[[float, str], None]
"""Called with the share done (0 to 1) and what is being done; it may raise to cancel."""


def silent(share: float, doing: str) -> None:
    """A `Progress` that shows nothing."""


class CandidateSpace(Protocol):
    """Every perturbation a library allows, addressed by one integer and never listed.

    Addresses run from 0 to `len(space) - 1`. Some may be forbidden: `permitted` says which.
    Nothing here costs time or memory in proportion to the size of the space.
    """

    @property
    def slots(self) -> int:
        """k, the largest order."""
        ...

    def __len__(self) -> int:
        """How many addresses there are, forbidden ones included."""
        ...

    def on_offer(self) -> int:
        """How many addresses are permitted."""
        ...

    def unrank(self, addresses: IntArray) -> Combinations:
        """The perturbations at some addresses, shape (N,) int64."""
        ...

    def rank(self, combinations: Combinations) -> IntArray:
        """The addresses of perturbations, shape (N,); -1 where the space does not hold one."""
        ...

    def permitted(self, combinations: Combinations) -> BoolArray:
        """Which perturbations break no constraint, shape (N,)."""
        ...


@dataclass(frozen=True, slots=True)
class Compute:
    """Where the engine computes: device ('cpu', 'cuda', 'cuda:1'), dtype, CPU threads (0: all)."""

    device: str = "cpu"
    dtype: str = "float32"
    threads: int = 0


@dataclass(frozen=True, slots=True)
class SurrogateProblem:
    """All that a surrogate is built from.

    URs, slots k, readouts m, its settings, the machine; `prior` are earlier screens that it may
    learn from, `checkpoint` a folder in which it may leave what it needs to go on after a kill.
    """

    representations: Representations
    slots: int
    readouts: int
    settings: Mapping[str, str | int | float | bool]
    compute: Compute
    prior: tuple[PriorScreen, ...] = ()
    checkpoint: Path | None = None


class Surrogate(Protocol):
    """What predicts. Built by a `SurrogateFactory`, fitted or restored before it is asked."""

    def fit(
        self, training: TrainingSet, rng: np.random.Generator, progress: Progress = silent
    ) -> None:
        """Learn from observations; a restored surrogate starts from what it knows (warm)."""
        ...

    def believe(self, combinations: Combinations) -> Belief:
        """Predict N perturbations; memory does not grow with N beyond the answer."""
        ...

    def out_of_fold(self) -> Belief:
        """Predict each row of the last fit's training set as if it had not been learned from."""
        ...

    def state(self) -> SurrogateState:
        """All that `restore` needs, the out-of-fold beliefs included."""
        ...

    def restore(self, state: SurrogateState) -> None:
        """Become the surrogate that gave `state`, for the same problem."""
        ...

    def model(self) -> object:
        """The BoTorch `Model` over rows of `Combinations.features()`, readouts in their units."""
        ...


@runtime_checkable
class TellsPriorHelp(Protocol):
    """What a surrogate may have besides being one: it says how much each earlier screen helps."""

    def prior_help(self) -> Mapping[str, float]:
        """Nats a well that each screen brings to the first readout, out of fold, by its name."""
        ...


class SurrogateFactory(Protocol):
    """The object behind an entry point of the group `pertloop.surrogates`."""

    def __call__(self, problem: SurrogateProblem) -> Surrogate:
        """An unfitted surrogate.

        Raises:
            InvalidError: If a setting is unknown or out of range.
        """
        ...


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """What an acquisition is asked.

    Attributes:
        space: What may be chosen.
        taken: Sorted addresses that are not on offer: measured, pending, chosen already.
        surrogate: A fitted surrogate; its first readout is the goal's.
        goal: What is wanted.
        readout: The goal's readout, with its thresholds.
        best: The best value observed so far in the goal's direction; None before any.
        pending: Perturbations out for measurement, whose values are not known yet.
        size: q.
        max_uses: How often one perturbagen may occur in the batch; 0: no limit.
        uses: How often each perturbagen occurs in the part of the batch that is already fixed
            (audit wells), shape (P,).
        settings: The acquisition's own, from the campaign file.
        replicates: In how many wells each choice will be measured.
    """

    space: CandidateSpace
    taken: IntArray
    surrogate: Surrogate
    goal: Goal
    readout: Readout
    best: float | None
    pending: Combinations
    size: int
    max_uses: int
    uses: IntArray
    settings: Mapping[str, str | int | float | bool]
    replicates: int = 1


@dataclass(frozen=True, slots=True)
class Chosen:
    """What an acquisition answers: q addresses in the order chosen, scores, and reasons.

    A score is what the acquisition gave the perturbation when it was chosen; its unit is the
    acquisition's affair. A reason is one plain sentence for the scientist.
    """

    addresses: IntArray
    scores: np.ndarray[tuple[int], np.dtype[np.float64]]
    reasons: tuple[str, ...]


class Acquisition(Protocol):
    """How a batch is chosen; the object behind an entry point of `pertloop.acquisitions`."""

    def check(self, settings: Mapping[str, str | int | float | bool]) -> None:
        """Refuse the settings that `choose` would refuse, long before there is a batch to choose.

        Raises:
            InvalidError: If a setting is unknown or out of range.
        """
        ...

    def choose(
        self, request: BatchRequest, rng: np.random.Generator, progress: Progress = silent
    ) -> Chosen:
        """Choose `request.size` distinct addresses, none of them taken or forbidden.

        Raises:
            NotEnoughCandidatesError: If fewer are on offer, or `max_uses` leaves fewer.
            InvalidError: If a setting is unknown, or the goal does not suit.
        """
        ...
