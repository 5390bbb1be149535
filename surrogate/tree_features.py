"""Perturbations as columns for regression trees: symmetric in the perturbagens, float32.

Of the URs of a set: their sum, how far apart the largest and the smallest are, and the sum of the
products of pairs; besides, how many there are, their doses, who is there, and the context.
"""

import numpy as np
import numpy.typing as npt

from loop.ports.arrays import Combinations, FloatArray, Representations
from surrogate.encoding import standardised_doses
from surrogate.prior_evidence import PriorEvidence
from surrogate.representation.whitening import Whitenings, known_views

_FEW = 128
_MANY = 2_048

Table = npt.NDArray[np.float32]


class TreeFeatures:
    """Turns `Combinations` into a table, shape (N, F).

    Who is there has a column each, where they are at most 128, or where at most 2,048 are
    without a UR; with its dose beside it where doses vary.
    """

    def __init__(
        self, representations: Representations, whitenings: Whitenings, prior: PriorEvidence
    ) -> None:
        known = np.asarray(representations.known, dtype=bool)
        self._urs = whitenings.perturbagens(
            representations.perturbagens, known_views(representations)
        )
        self._doses = standardised_doses(representations.doses)
        self._doses_vary = bool((self._doses != 0).any())
        named = np.ones_like(known) if len(known) <= _FEW else ~known
        self._named = np.flatnonzero(named) if named.sum() <= _MANY else np.zeros(0, dtype=np.int64)
        self._place = np.full(len(known), -1)
        self._place[self._named] = np.arange(len(self._named))
        self._several = len(representations.contexts) > 1
        columns = whitenings.context_columns(representations)
        self._contexts = np.concatenate([columns, np.eye(len(columns))], axis=1)
        self._prior = prior

    def __call__(self, combinations: Combinations) -> Table:
        """The table of N perturbations."""
        filled = combinations.components >= 0
        items = np.where(filled[:, :, None], self._urs[combinations.components], np.nan)
        doses = np.where(filled, self._doses[combinations.components, combinations.levels], 0.0)
        blocks = [filled.sum(axis=1)[:, None], _sum(items), *self._here(combinations, filled, None)]
        if combinations.slots > 1:
            blocks += [_apart(items, filled), _products(items)]
        if self._doses_vary:
            blocks += [doses.sum(axis=1)[:, None], *self._here(combinations, filled, doses)]
        if self._several:
            blocks.append(self._contexts[combinations.contexts])
        blocks.append(self._prior.columns(combinations))
        return np.concatenate(blocks, axis=1).astype(np.float32)

    def _here(
        self, combinations: Combinations, filled: npt.NDArray[np.bool_], doses: FloatArray | None
    ) -> list[FloatArray]:
        """Who is there: 1, or the dose; 0 for who is not."""
        if not len(self._named):
            return []
        table = np.zeros((len(combinations), len(self._named)))
        places = np.where(filled, self._place[combinations.components], -1)
        rows, slots = np.nonzero(places >= 0)
        table[rows, places[rows, slots]] = 1.0 if doses is None else doses[rows, slots]
        return [table]


def _sum(items: FloatArray) -> FloatArray:
    summed: FloatArray = np.nansum(items, axis=1)
    return summed


def _apart(items: FloatArray, filled: npt.NDArray[np.bool_]) -> FloatArray:
    there = filled[:, :, None]
    largest = np.where(there, items, -np.inf).max(axis=1)
    smallest = np.where(there, items, np.inf).min(axis=1)
    several = filled.sum(axis=1)[:, None] > 1
    return np.where(several, largest - np.where(several, smallest, 0.0), 0.0)


def _products(items: FloatArray) -> FloatArray:
    held = np.nan_to_num(items)
    products: FloatArray = 0.5 * (held.sum(axis=1) ** 2 - (held**2).sum(axis=1))
    return products
