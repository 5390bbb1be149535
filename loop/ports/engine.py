"""What the hub asks of the engine: surrogates, acquisitions, and the space between them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from loop.domain.goal import Goal, Readout
from loop.ports.arrays import (
    Belief,
    BoolArray,
    Combinations,
    FloatArray,
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
class Section:
    """All perturbations of one order in one context of a `TiledSpace`, in order of address.

    Each is a prefix (all components but the last) and a last item; there are `prefixes` prefixes,
    numbered in the order of their addresses.
    """

    context: int
    order: int
    prefixes: int


@dataclass(frozen=True, slots=True)
class Stripe:
    """R neighbouring prefixes of one section, each followed by a run of items up to the last.

    Attributes:
        prefixes: R perturbations of one component less, with the space's k slots.
        starts: The first item that may follow each prefix, shape (R,); U where none may.
        addresses: The address of each prefix with item `starts`, shape (R,); with a later item j
            it is `addresses + (j - starts)`.
    """

    prefixes: Combinations
    starts: IntArray
    addresses: IntArray


@runtime_checkable
class TiledSpace(Protocol):
    """What a space may have besides being one: its addresses run through contiguous items.

    An item is one perturbagen at one dose level; U items are numbered by perturbagen, then level.
    """

    @property
    def items(self) -> Combinations:
        """The U items, each as the only component, context 0."""
        ...

    def sections(self) -> tuple[Section, ...]:
        """All sections, controls (order 0) left out, in the order of their addresses."""
        ...

    def stripe(self, section: Section, start: int, stop: int) -> Stripe:
        """Prefixes `start` to `stop - 1` of a section; O(R k log P)."""
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
class Group:
    """Perturbagens that belong together, such as a pathway, and how many choices may hold one.

    `members`, shape (P,). A choice counts if it holds any member; `at_most` None: no limit.
    """

    name: str
    members: BoolArray
    at_least: int = 0
    at_most: int | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a batch must keep to, beyond what the space permits; the default keeps to nothing.

    Attributes:
        max_uses: How often one perturbagen may occur in the batch; 0: no limit.
        uses: How often each perturbagen occurs in the part of the batch that is already fixed
            (audit wells, references, must-haves), shape (P,); may be empty without `max_uses`.
        costs: The cost of one use of each perturbagen, shape (P,); empty: all 0.
        well_cost: What a choice costs besides its perturbagens.
        money: What the choices still to be made may cost together; inf: no limit.
        groups: What is still to be fulfilled of each group, after the part that is fixed.
        diversity: How strongly likeness to what is chosen already counts against a candidate: 0
            not at all, 1 as much as its whole value above a typical candidate's.
    """

    max_uses: int = 0
    uses: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    costs: FloatArray = field(default_factory=lambda: np.zeros(0))
    well_cost: float = 0.0
    money: float = math.inf
    groups: tuple[Group, ...] = ()
    diversity: float = 0.0


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """What an acquisition is asked.

    Attributes:
        space: What may be chosen.
        taken: Sorted addresses that are not on offer: measured, pending, chosen already.
        surrogate: A fitted surrogate of `readouts`, in their order.
        goal: What is wanted.
        readouts: All readouts; the first is the one that a goal with one readout is about.
        best: The best value observed so far in the goal's direction; None before any.
        pending: Perturbations out for measurement, whose values are not known yet.
        size: q.
        settings: The acquisition's own, from the campaign file.
        limits: What the batch must keep to.
        replicates: In how many wells each choice will be measured.
        training: What has been observed; None where nothing is known.
        representations: URs, for rules that look at how alike candidates are; None: none.
        compute: Where the acquisition computes.
        checkpoint: A folder where a long scan may leave what it needs to go on after a kill.
    """

    space: CandidateSpace
    taken: IntArray
    surrogate: Surrogate
    goal: Goal
    readouts: tuple[Readout, ...]
    best: float | None
    pending: Combinations
    size: int
    settings: Mapping[str, str | int | float | bool]
    limits: Limits = field(default_factory=Limits)
    replicates: int = 1
    training: TrainingSet | None = None
    representations: Representations | None = None
    compute: Compute = field(default_factory=Compute)
    checkpoint: Path | None = None

    @property
    def readout(self) -> Readout:
        """The readout that a goal with one readout is about."""
        return self.readouts[0]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What an acquisition answers: q addresses in the order chosen, scores, and reasons.

    Attributes:
        addresses: Shape (q,).
        scores: What the acquisition gave each perturbation when it was chosen, shape (q,); the
            unit is the acquisition's affair.
        reasons: One plain sentence for the scientist each.
        ranks: The place of each among all that were rated, from 1, shape (q,); 0: not known.
            Empty: none is known.
        contributions: The share of the batch's value that each brought, shape (q,), NaN where
            value has no meaning. Empty: none has.
        notes: Sentences about the whole choice, such as what was scanned and its audited recall.
        values: The value of these choices together in each of S joint draws, shape (S,): hits
            to be expected given the draw (noise of wells integrated), or for goals without hits
            how far the best choice goes past the best so far. Empty: not known.
    """

    addresses: IntArray
    scores: FloatArray
    reasons: tuple[str, ...]
    ranks: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    contributions: FloatArray = field(default_factory=lambda: np.zeros(0))
    notes: tuple[str, ...] = ()
    values: FloatArray = field(default_factory=lambda: np.zeros(0))


@runtime_checkable
class ServesSomeGoals(Protocol):
    """What an acquisition may have besides being one: it says which goals it is for."""

    def served(self, settings: Mapping[str, str | int | float | bool]) -> tuple[Goal, ...]:
        """The goals that `choose` takes, with these settings; others it refuses."""
        ...


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
            NotEnoughCandidatesError: If fewer are on offer, or the limits leave fewer.
            InvalidError: If a setting is unknown, or the goal does not suit.
            IncompatibleError: If the surrogate predicts no numbers; the sentence says who.
        """
        ...
