"""What is asked of a candidate space, and what is known when a batch is chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from loop.domain.campaign import FirstBatch
from loop.domain.goal import Goal, Readout
from loop.ports.arrays import Combinations, IntArray, Representations, TrainingSet
from loop.ports.engine import CandidateSpace, Compute, Limits, Surrogate
from loop.supply import Supply, supply_of


def _no_addresses() -> IntArray:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the space, whatever is known so far.

    Attributes:
        space: What may be chosen.
        goal: What is wanted.
        readouts: All readouts; the first is the one that a goal with one readout is about.
        audit: The share of the batch drawn by lot.
        settings: The acquisition's own.
        references: Perturbations that are in the batch whatever is chosen.
        limits: What the whole batch keeps to, `uses` of shape (P,).
        orders: The numbers of perturbagens that may act together; empty: any.
        replicates: In how many wells each choice is measured.
        required: Addresses of must-haves.
        explore: The share of the batch that the acquisition `explore_by` chooses.
        explore_by: Its name.
        first: How a batch is chosen while nothing is known.
        representations: URs, for rules that look at how alike candidates are.
        compute: Where acquisitions compute.
        checkpoint: Where a long scan leaves what it needs to go on after a kill.
    """

    space: CandidateSpace
    goal: Goal
    readouts: tuple[Readout, ...]
    audit: float
    settings: Mapping[str, str | int | float | bool]
    references: Combinations
    limits: Limits
    orders: Sequence[int] = ()
    replicates: int = 1
    required: IntArray = field(default_factory=_no_addresses)
    explore: float = 0.0
    explore_by: str = "max-variance"
    first: FirstBatch = FirstBatch.RANDOM
    representations: Representations | None = None
    compute: Compute = field(default_factory=Compute)
    checkpoint: Path | None = None

    @property
    def readout(self) -> Readout:
        """The readout that a goal with one readout is about."""
        return self.readouts[0]

    def still_required(self, taken: IntArray) -> IntArray:
        """The must-haves that are neither measured, nor pending, nor references."""
        return np.setdiff1d(self.required, taken)

    def supply(self, taken: IntArray) -> Supply:
        """What there is to choose from, references included; `taken` as in `Known`."""
        orders = self.orders or range(self.space.slots + 1)
        counted = supply_of(self.space, orders, taken, self.limits)
        return counted.with_fixed(self.references, self.limits)


def audit_wells(size: int, share: float) -> int:
    """How many of `size` are drawn by lot: exactly the share, rounded to whole wells."""
    return min(size, round(size * share))


@dataclass(frozen=True, slots=True)
class Known:
    """What is known when a batch is chosen.

    Attributes:
        surrogate: A fitted surrogate; None before there is one.
        taken: Sorted addresses that are not on offer: measured, pending, references.
        pending: Perturbations whose values are not known yet.
        best: The best value so far in the goal's direction; None before any.
        training: What has been observed; None where nothing has.
    """

    surrogate: Surrogate | None
    taken: IntArray
    pending: Combinations
    best: float | None = None
    training: TrainingSet | None = None
