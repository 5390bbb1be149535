"""Candidates as points, so that how unlike two of them are is a distance. Loads no torch."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loop.ports.arrays import BoolArray, Combinations, FloatArray, IntArray, Representations, View

_PAST_PERTURBAGENS = 2**40
"""Where contexts without URs are numbered from, among the strangers."""

_Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Points:
    """N perturbations as points.

    A known perturbagen is its UR, an unknown one is a direction of its own, at a right angle to
    everything else; a perturbation is the sum of its perturbagens, each times its strength, with
    its context beside it.

    Attributes:
        known: Sums of known URs, and the context, shape (N, D), float32.
        strangers: Unknown perturbagens, shape (N, k); -1 elsewhere.
        strengths: Their strengths, shape (N, k); 0 elsewhere.
    """

    known: _Floats
    strangers: IntArray
    strengths: FloatArray

    def __len__(self) -> int:
        """The N of the shapes."""
        return len(self.known)

    def square_lengths(self) -> FloatArray:
        """Squares of the distances from 0, shape (N,)."""
        known = np.einsum("nd,nd->n", self.known, self.known, dtype=np.float64)
        return np.asarray(known + np.square(self.strengths).sum(axis=1))

    def products(self, others: "Points") -> FloatArray:
        """Inner products with M other points, shape (N, M); O(N M (D + k^2))."""
        total: FloatArray = (self.known @ others.known.T).astype(np.float64)
        for name, strength in zip(self.strangers.T, self.strengths.T, strict=True):
            for other, weight in zip(others.strangers.T, others.strengths.T, strict=True):
                if strength.any() and weight.any():
                    total += (name[:, None] == other) * (strength[:, None] * weight)
        return total

    def __getitem__(self, rows: slice) -> "Points":
        """Some of the points."""
        return Points(self.known[rows], self.strangers[rows], self.strengths[rows])


class Placing:
    """Where perturbations lie, by the URs of what they are made of.

    Every view is centred and scaled so that its known rows have mean square length 1, and so are
    contexts. The strength of a dose goes from 1/2 at the lowest of the library (on a logarithmic
    scale) to 1 at the highest; it is 1 where there are no doses. Without URs a perturbagen is
    unlike every other, and a context too.
    """

    def __init__(self, representations: Representations | None) -> None:
        self._urs = representations
        if representations is None:
            return
        self._vectors = _vectors(representations)
        self._known = representations.known & (self._vectors.shape[1] > 0)
        everywhere = np.ones(len(representations.contexts), dtype=np.bool_)
        self._contexts = _unit(representations.contexts, everywhere)
        self._strengths = _strengths(representations.doses)

    def points(self, combinations: Combinations) -> Points:
        """The points of N perturbations; O(N k D)."""
        components, contexts = combinations.components, combinations.contexts
        there = components >= 0
        if self._urs is None:
            strangers = np.concatenate([components, contexts[:, None] + _PAST_PERTURBAGENS], axis=1)
            nothing = np.zeros((len(components), 0), dtype=np.float32)
            return Points(nothing, strangers, (strangers >= 0).astype(np.float64))
        strengths = self._strengths[components, combinations.levels] * there
        known = there & self._known[components]
        sums = np.zeros((len(components), self._vectors.shape[1]))
        for slot in range(combinations.slots):
            weights = np.where(known[:, slot], strengths[:, slot], 0.0)
            sums += weights[:, None] * self._vectors[components[:, slot]]
        strange = there & ~known
        return Points(
            np.concatenate([sums, self._contexts[contexts]], axis=1).astype(np.float32),
            np.where(strange, components, -1),
            np.where(strange, strengths, 0.0),
        )


def _vectors(representations: Representations) -> FloatArray:
    whole = representations.perturbagens
    views = representations.views or (View("all", whole.shape[1], representations.known),)
    blocks, first = [], 0
    for view in views:
        blocks.append(_unit(whole[:, first : first + view.width], view.known))
        first += view.width
    known = np.sum([view.known for view in views], axis=0)
    # A perturbagen that several views know is as long as one that a single view knows.
    vectors = np.concatenate(blocks, axis=1) / np.sqrt(np.maximum(known, 1))[:, None]
    if vectors.shape[1] <= vectors.shape[0]:
        return np.asarray(vectors)
    # P vectors span P directions at most: turned into those, nothing changes but the cost.
    _, upper = np.linalg.qr(vectors.T)
    return np.asarray(upper.T)


def _unit(vectors: FloatArray, known: BoolArray) -> FloatArray:
    """Centred, known rows of mean square length 1, zeros where unknown."""
    if not known.any() or not vectors.shape[1]:
        return np.zeros(vectors.shape)
    centred = np.where(known[:, None], vectors - vectors[known].mean(axis=0), 0.0)
    size = float(np.sqrt(np.square(centred[known]).sum(axis=1).mean()))
    return centred / size if size > 0 else centred


def _strengths(doses: FloatArray) -> FloatArray:
    """By perturbagen and level, shape (P, L)."""
    finite = doses[np.isfinite(doses)]
    low, span = (finite.min(), np.ptp(finite)) if len(finite) else (0.0, 0.0)
    if not span > 0:
        return np.ones(doses.shape)
    return np.asarray(0.5 + 0.5 * np.nan_to_num((doses - low) / span))
