"""Drawing by lot within the limits of a batch: uniform among all draws that keep them."""

from dataclasses import dataclass

import numpy as np

from loop.draft import Draft
from loop.space import Drawn, draw

_WHOLE = 48
"""Draws of all wells at once before they are drawn one after another."""
_SINGLE = 200
"""Draws of one well before it is given up."""


@dataclass(frozen=True, slots=True)
class Lot:
    """Wells drawn by lot.

    `aside` counts the draws that were set aside because they broke a limit, or left no way to
    keep one: where it is not 0 the chance to be drawn is known about only.
    """

    drawn: Drawn
    aside: int = 0


def draw_within(
    draft: Draft, count: int, rng: np.random.Generator, patient: bool = True
) -> Lot | None:
    """Draw wells so that the batch keeps its limits and can still be completed.

    Whole draws are repeated until one does: it is uniform among all that do. Where hardly any
    does and the draw is `patient`, wells are drawn one after another, each uniformly among those
    that fit so far. Where nothing binds, one draw is made of `rng`.

    Returns:
        None where no draw was found.

    Raises:
        NotEnoughCandidatesError: If fewer than `count` are on offer.
    """
    space, taken = draft.question.space, draft.taken
    for aside in range(_WHOLE):
        drawn = draw(space, count, taken, rng)
        if draft.could_be_completed_with(drawn.addresses):
            return Lot(drawn, aside)
    return _one_by_one(draft, count, rng) if patient else None


def _one_by_one(draft: Draft, count: int, rng: np.random.Generator) -> Lot | None:
    lot, aside = np.zeros(0, dtype=np.int64), _WHOLE
    while len(lot) < count:
        for _ in range(_SINGLE):
            one = draw(draft.question.space, 1, np.union1d(draft.taken, lot), rng)
            longer = np.concatenate([lot, one.addresses])
            if draft.could_be_completed_with(longer):
                break
            aside += 1
        else:
            return None
        lot = longer
    left = draft.question.space.on_offer() - len(draft.taken)
    return Lot(Drawn(lot, count / left), aside)
