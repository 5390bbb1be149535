"""Choose the perturbations of one batch: audit wells by lot, the rest by acquisitions.

Campaigns and replays choose through this one function, so that a replay tells the truth about
what a campaign would have done.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from loop import plugins
from loop.constraints import binds
from loop.domain.campaign import FirstBatch
from loop.domain.errors import NotEnoughCandidatesError
from loop.domain.goal import Goal, Readout, has_one_best, smaller_is_better
from loop.draft import Draft, Selection
from loop.drawn_choice import AmongDrawn
from loop.lots import Lot, draw_within
from loop.nothing_known import NothingKnown
from loop.ports.arrays import FloatArray
from loop.ports.engine import Acquisition, BatchRequest, Chosen, Limits, Progress, silent
from loop.question import Known, Question, audit_wells

__all__ = ["Known", "Question", "Selection", "audit_wells", "best_so_far", "choose"]

_ATTEMPTS = 4
"""Batches that are begun, each with other wells by lot, before tight limits are given up."""
_BLIND = "Drawn at random: no surrogate is trained yet, and random wells judge every later belief."
_AUDIT = "Audit well, drawn at random from all candidates to judge the surrogate."


def choose(
    question: Question,
    known: Known,
    acquisition: Acquisition,
    size: int,
    rng: np.random.Generator,
    progress: Progress = silent,
) -> Selection:
    """Choose `size` perturbations beside the references, none of them taken.

    In this order: must-haves; audit wells by lot, exactly their share of the batch, references
    included; the exploring share; the rest by the acquisition. Without a surrogate everything is
    drawn by lot, or half of it where the first batch is to fill the space: the first wells judge
    every later belief.

    Raises:
        NotEnoughCandidatesError: If fewer are left, or the limits leave fewer.
        IncompatibleError: If an acquisition breaks the limits.
    """
    _check_left(question, known, size)
    attempts = _ATTEMPTS if binds(question.limits) else 1
    for attempt in range(attempts):
        draft = Draft(question, known, size)
        draft.require(question.still_required(known.taken))
        try:
            _fill(draft, acquisition, attempt, rng, progress)
        except NotEnoughCandidatesError:
            # Other wells by lot may leave a way.
            if attempt == attempts - 1:
                raise
        else:
            break
    return draft.selection()


def _fill(
    draft: Draft,
    acquisition: Acquisition,
    attempt: int,
    rng: np.random.Generator,
    progress: Progress,
) -> None:
    question = draft.question
    if draft.known.surrogate is None:
        _choose_blindly(draft, attempt, rng, progress)
        return
    _draw_audit(draft, rng)
    _explore(draft, rng, progress)
    if draft.missing:
        request = _request(draft, draft.missing, draft.limits, question.settings)
        request = replace(request, checkpoint=question.checkpoint)
        draft.follow(_chosen(draft, request, acquisition, rng, progress), speaks=True)


def _check_left(question: Question, known: Known, size: int) -> None:
    left = question.space.on_offer() - len(known.taken)
    if size <= left:
        return
    most = left + len(question.references)
    msg = (
        f"{size + len(question.references)} perturbations were asked for but {most} "
        f"{'is' if most == 1 else 'are'} left; "
        f"propose with --size {most}"
    )
    if left == 0:
        msg = "Every candidate of the library has been measured or is on its way; nothing left"
    raise NotEnoughCandidatesError(msg + ".")


def _draw_audit(draft: Draft, rng: np.random.Generator) -> None:
    count = min(draft.missing, audit_wells(draft.size, draft.question.audit))
    if count:
        _put(draft, draw_within(draft, count, rng), count, _AUDIT)


def _choose_blindly(
    draft: Draft, attempt: int, rng: np.random.Generator, progress: Progress
) -> None:
    """As many by lot as were asked for and the limits let, the rest by a blind acquisition.

    Each further attempt draws half as many by lot.
    """
    filling = draft.question.first is FirstBatch.SPACE_FILLING
    least = min(draft.missing, audit_wells(draft.size, draft.question.audit))
    most = max(least, -(-draft.missing // 2)) if filling else draft.missing
    for count in _halved(max(least, most >> attempt), least):
        lot = draw_within(draft, count, rng, patient=count == least) if count else None
        if lot is not None or count == least > 0:
            _put(draft, lot, count, _BLIND)
            break
    if draft.missing:
        name = "space-filling" if filling else "random"
        request = _request(draft, draft.missing, draft.limits, {})
        blind = plugins.acquisition(name)
        chosen = _chosen(draft, request, blind if filling else AmongDrawn(blind), rng, progress)
        draft.follow(chosen, "No surrogate is trained yet: ")


def _halved(most: int, least: int) -> Iterator[int]:
    while most > least:
        yield most
        most //= 2
    yield least


def _put(draft: Draft, lot: Lot | None, count: int, why: str) -> None:
    if lot is None:
        msg = (
            f"No {count} audit wells were found by lot that leave a way to keep the constraints; "
            "lower batch.audit, or loosen the constraints."
        )
        raise NotEnoughCandidatesError(msg)
    draft.draw(lot.drawn, why)
    if lot.aside:
        draft.note(
            "Audit wells were drawn by lot until they left a way to keep the constraints (draws "
            f"set aside: {lot.aside}), so each one's chance is known about only."
        )


def _explore(draft: Draft, rng: np.random.Generator, progress: Progress) -> None:
    """Let the exploring acquisition choose its share, unless the limits are too tight for it."""
    question = draft.question
    count = min(draft.missing, round(draft.size * question.explore))
    if not count:
        return
    request = _request(draft, count, draft.limits_of_share(count), {})
    name = question.explore_by
    try:
        chosen = plugins.acquisition(name).choose(request, rng, progress)
    except NotEnoughCandidatesError as error:
        draft.note(f"No choice was made to explore by {name!r}: {error}")
        return
    if draft.could_be_completed_with(chosen.addresses):
        draft.follow(chosen, "Exploring share: ")
        return
    draft.note(
        f"No choice was made to explore by {name!r}: what it chose would have left no way to keep "
        "the constraints."
    )


def _chosen(
    draft: Draft,
    request: BatchRequest,
    acquisition: Acquisition,
    rng: np.random.Generator,
    progress: Progress,
) -> Chosen:
    """What an acquisition chooses, one after another or, where that finds no end, together."""
    try:
        return acquisition.choose(request, rng, progress)
    except NotEnoughCandidatesError:
        if draft.supply is None:
            raise
        # Some 0.3 s to import, for the tightest constraints only.
        from loop.tight_choice import choose_together

        chosen = choose_together(draft, request, acquisition, rng, progress)
        if chosen is None:
            raise
        return chosen


def _request(
    draft: Draft,
    size: int,
    limits: Limits,
    settings: Mapping[str, str | int | float | bool],
) -> BatchRequest:
    question, known = draft.question, draft.known
    return BatchRequest(
        space=question.space,
        taken=draft.taken,
        surrogate=NothingKnown() if known.surrogate is None else known.surrogate,
        goal=question.goal,
        readouts=question.readouts,
        best=known.best,
        pending=draft.pending,
        size=size,
        settings=settings,
        limits=limits,
        replicates=question.replicates,
        training=known.training,
        representations=question.representations,
        compute=question.compute,
    )


def best_so_far(goal: Goal, readout: Readout, values: FloatArray) -> float | None:
    """The best value in the goal's direction; None before any, or where a goal has none."""
    if not len(values) or not has_one_best(goal):
        return None
    return float(values.min() if smaller_is_better(goal, readout) else values.max())
