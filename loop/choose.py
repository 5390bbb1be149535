"""Choose the perturbations of one batch: audit wells by lot, the rest by an acquisition.

Campaigns and replays choose through this one function, so that a replay tells the truth about
what a campaign would have done.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from loop.domain.batch import ChosenBy
from loop.domain.errors import NotEnoughCandidatesError
from loop.domain.goal import Goal, Readout
from loop.ports.arrays import Combinations, FloatArray, IntArray
from loop.ports.engine import (
    Acquisition,
    BatchRequest,
    CandidateSpace,
    Progress,
    Surrogate,
    silent,
)
from loop.space import draw


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the space, whatever is known so far.

    `audit` is the share of the batch drawn by lot; `max_uses` of one perturbagen, 0: no limit;
    `perturbagens` is P.
    """

    space: CandidateSpace
    goal: Goal
    readout: Readout
    audit: float
    max_uses: int
    perturbagens: int
    settings: Mapping[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen addresses, shape (q,): those by lot first, then the acquisition's in its order.

    `scores` are NaN, and `inclusion` is the chance to be drawn, for those by lot; NaN for others.
    """

    addresses: IntArray
    chosen_by: tuple[ChosenBy, ...]
    scores: FloatArray
    reasons: tuple[str, ...]
    inclusion: FloatArray


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
) -> Selection:
    """Choose `size` perturbations that are not `taken` (sorted addresses).

    Without a surrogate everything is drawn by lot: the first wells judge every later belief.

    Raises:
        NotEnoughCandidatesError: If fewer are left.
    """
    left = question.space.on_offer() - len(taken)
    if size > left:
        msg = f"{size} perturbations were asked for but {left} are left; propose with --size {left}"
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
    )
    if surrogate is None or by_lot == size:
        return parts
    chosen = acquisition.choose(
        BatchRequest(
            space=question.space,
            taken=np.union1d(taken, lot),
            surrogate=surrogate,
            goal=question.goal,
            readout=question.readout,
            best=best,
            pending=Combinations.joined([pending, question.space.unrank(lot)]),
            size=size - by_lot,
            max_uses=question.max_uses,
            uses=_uses(question, lot),
            settings=question.settings,
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
    )


def _uses(question: Question, lot: IntArray) -> IntArray:
    components = question.space.unrank(lot).components
    return np.bincount(components[components >= 0], minlength=question.perturbagens).astype(
        np.int64
    )


def best_so_far(goal: Goal, values: FloatArray) -> float | None:
    """The best value in the goal's direction, None before any; larger, for goals without one."""
    if not len(values):
        return None
    return float(values.min() if goal is Goal.MINIMIZE else values.max())
