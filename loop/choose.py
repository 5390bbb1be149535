"""Choose the perturbations of one batch: audit wells by lot, the rest by an acquisition.

Campaigns and replays choose through this one function, so that a replay tells the truth about
what a campaign would have done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from loop.domain.batch import ChosenBy
from loop.domain.errors import NotEnoughCandidatesError
from loop.domain.goal import Goal, Readout, smaller_is_better
from loop.ports.arrays import (
    Combinations,
    FloatArray,
    IntArray,
    Representations,
    TrainingSet,
)
from loop.ports.engine import (
    Acquisition,
    BatchRequest,
    CandidateSpace,
    Compute,
    Limits,
    Progress,
    Surrogate,
    silent,
)
from loop.space import draw

Known = TypeVar("Known", IntArray, FloatArray)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the space, whatever is known so far.

    `audit` is the share of the batch drawn by lot; `max_uses` of one perturbagen, 0: no limit;
    `perturbagens` is P. Each choice is measured in `replicates` wells; `references` are in the
    batch whatever is chosen. `more_readouts` follow the first; `representations` are for rules
    that look at how alike candidates are.
    """

    space: CandidateSpace
    goal: Goal
    readout: Readout
    audit: float
    max_uses: int
    perturbagens: int
    settings: Mapping[str, str | int | float | bool]
    references: Combinations
    replicates: int = 1
    more_readouts: tuple[Readout, ...] = ()
    representations: Representations | None = None
    compute: Compute = field(default_factory=Compute)


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen addresses, shape (q,): those by lot first, then the acquisition's in its order.

    `scores` and `contributions` are NaN, `ranks` 0, and `inclusion` the chance to be drawn, for
    those by lot; `inclusion` is NaN for others. `notes` and `values`, shape (S,), are what the
    acquisition says of its whole choice (`Chosen`).
    """

    addresses: IntArray
    chosen_by: tuple[ChosenBy, ...]
    scores: FloatArray
    reasons: tuple[str, ...]
    inclusion: FloatArray
    ranks: IntArray
    contributions: FloatArray
    notes: tuple[str, ...] = ()
    values: FloatArray = field(default_factory=lambda: np.zeros(0))


def audit_wells(size: int, share: float) -> int:
    """How many of `size` are drawn by lot: the share rounded, at least one unless it is zero."""
    return min(size, max(1, round(size * share))) if share > 0 else 0


def choose(
    question: Question,
    surrogate: Surrogate | None,
    acquisition: Acquisition,
    taken: IntArray,
    pending: Combinations,
    best: float | None,
    size: int,
    rng: np.random.Generator,
    progress: Progress = silent,
    training: TrainingSet | None = None,
) -> Selection:
    """Choose `size` perturbations that are not `taken` (sorted addresses).

    Without a surrogate everything is drawn by lot: the first wells judge every later belief.
    Draws by lot are uniform, so `max_uses` binds the acquisition only. `training` is what has
    been observed.

    Raises:
        NotEnoughCandidatesError: If fewer are left.
    """
    left = question.space.on_offer() - len(taken)
    if size > left:
        most = left + len(question.references)
        msg = (
            f"{size + len(question.references)} perturbations were asked for but {most} are left; "
            f"propose with --size {most}"
        )
        if left == 0:
            msg = "Every candidate of the library has been measured or is on its way; nothing left"
        raise NotEnoughCandidatesError(msg + ".")
    by_lot = size if surrogate is None else audit_wells(size, question.audit)
    drawn = draw(question.space, by_lot, taken, rng)
    lot = drawn.addresses
    why = (
        "drawn at random: no surrogate is trained yet, and random wells judge every later belief."
        if surrogate is None
        else "audit well, drawn at random from all candidates to judge the surrogate."
    )
    parts = Selection(
        lot,
        (ChosenBy.AUDIT,) * by_lot,
        np.full(by_lot, np.nan),
        (why[0].upper() + why[1:],) * by_lot,
        np.full(by_lot, drawn.inclusion_probability),
        np.zeros(by_lot, dtype=np.int64),
        np.full(by_lot, np.nan),
    )
    if surrogate is None or by_lot == size:
        return parts
    chosen = acquisition.choose(
        BatchRequest(
            space=question.space,
            taken=np.union1d(taken, lot),
            surrogate=surrogate,
            goal=question.goal,
            readouts=(question.readout, *question.more_readouts),
            best=best,
            pending=Combinations.joined([pending, question.space.unrank(lot)]),
            size=size - by_lot,
            settings=question.settings,
            limits=Limits(question.max_uses, _uses(question, lot)),
            replicates=question.replicates,
            training=training,
            representations=question.representations,
            compute=question.compute,
        ),
        rng,
        progress,
    )
    return Selection(
        np.concatenate([parts.addresses, chosen.addresses]),
        parts.chosen_by + (ChosenBy.ACQUISITION,) * len(chosen.addresses),
        np.concatenate([parts.scores, chosen.scores]),
        parts.reasons + chosen.reasons,
        np.concatenate([parts.inclusion, np.full(len(chosen.addresses), np.nan)]),
        np.concatenate([parts.ranks, _or(chosen.ranks, len(chosen.addresses), 0)]),
        np.concatenate([parts.contributions, _or(chosen.contributions, len(chosen.addresses))]),
        chosen.notes,
        chosen.values,
    )


def _or(told: Known, count: int, unknown: float = np.nan) -> Known:
    """What an acquisition told of each choice; unknown of all where it told nothing."""
    return told if len(told) == count else np.full(count, unknown, dtype=told.dtype)


def _uses(question: Question, lot: IntArray) -> IntArray:
    fixed = Combinations.joined([question.references, question.space.unrank(lot)]).components
    return np.bincount(fixed[fixed >= 0], minlength=question.perturbagens).astype(np.int64)


def best_so_far(goal: Goal, readout: Readout, values: FloatArray) -> float | None:
    """The best value in the goal's direction, None before any."""
    if not len(values):
        return None
    return float(values.min() if smaller_is_better(goal, readout) else values.max())
