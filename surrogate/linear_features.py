"""Perturbations as columns of a linear regression, in named groups.

A column of identity is there for each perturbagen (and each with its dose, and in each context);
those are kept sparse. All others are sums over the items of a set, or sums over its pairs, so the
order of perturbagens cannot matter; for the empty set all but the context's columns are 0.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from loop.ports.arrays import Combinations, FloatArray, IntArray, Representations
from surrogate.encoding import standardised_doses
from surrogate.prior_evidence import PriorEvidence
from surrogate.representation.whitening import Whitenings, known_views

_PAIRED = 8
_CROSSED = 8
_MOST_BY_CONTEXT = 262_144


@dataclass(frozen=True, slots=True)
class Columns:
    """N rows: sparse columns first, then dense ones; shapes (N, p) and (N, q)."""

    sparse: sparse.csr_matrix
    dense: FloatArray

    def __getitem__(self, rows: slice | npt.NDArray[np.int64]) -> "Columns":
        """Some of the rows."""
        return Columns(self.sparse[rows], self.dense[rows])

    def times(self, weights: FloatArray) -> FloatArray:
        """The columns times weights of shape (p + q, S): shape (N, S)."""
        edge = self.sparse.shape[1]
        product: FloatArray = self.sparse @ weights[:edge] + self.dense @ weights[edge:]
        return product


class LinearFeatures:
    """Turns `Combinations` into `Columns`; `groups` names each column's group, shape (p + q,)."""

    def __init__(
        self, representations: Representations, whitenings: Whitenings, prior: PriorEvidence
    ) -> None:
        known = np.asarray(representations.known, dtype=bool)
        urs = whitenings.perturbagens(representations.perturbagens, known_views(representations))
        # A mean square of 1 for each group, not for each column, so that variances compare.
        self._urs = urs / np.sqrt(max(urs.shape[1], 1))
        self._doses = standardised_doses(representations.doses)
        self._doses_vary = bool((self._doses != 0).any())
        contexts = whitenings.context_columns(representations)
        self._several = len(contexts) > 1
        size = np.sqrt(max(float((contexts**2).sum(axis=1).mean()), 1e-9))
        self._contexts = contexts / size
        self._prior = prior
        self._by_context = self._several and len(known) * len(contexts) <= _MOST_BY_CONTEXT
        self._count = len(known)

    def groups(self, slots: int) -> npt.NDArray[np.str_]:
        """The name of each column's group, sparse columns first."""
        nothing = Combinations(
            np.full((1, slots), -1), np.full((1, slots), -1), np.zeros(1, dtype=np.int64)
        )
        widths = [("identity", self._count)]
        if self._doses_vary:
            widths.append(("identity by dose", self._count))
        if self._by_context:
            widths.append(("identity by context", self._count * len(self._contexts)))
        widths += [(name, block.shape[1]) for name, block in self._dense(nothing)]
        return np.concatenate([np.full(width, name, dtype=object) for name, width in widths])

    def __call__(self, combinations: Combinations) -> Columns:
        """The columns of N perturbations."""
        blocks = [block for _, block in self._dense(combinations)]
        return Columns(self._sparse(combinations), np.concatenate(blocks, axis=1))

    @property
    def leading(self) -> int:
        """How many leading components of URs meet in pairs."""
        return min(int(self._urs.shape[1]), _PAIRED)

    def lead(self, perturbagens: IntArray) -> FloatArray:
        """The leading components of some perturbagens, of any shape, one more axis at the end."""
        size = np.sqrt(max(self._urs.shape[1], 1) / _PAIRED)
        rows: FloatArray = self._urs[perturbagens, :_PAIRED] * size
        return rows

    def _sparse(self, combinations: Combinations) -> sparse.csr_matrix:
        rows, slots = np.nonzero(combinations.components >= 0)
        who = combinations.components[rows, slots]
        ones = np.ones(len(rows))
        places, values, width = [who], [ones], self._count
        if self._doses_vary:
            places.append(width + who)
            values.append(self._doses[who, combinations.levels[rows, slots]])
            width += self._count
        if self._by_context:
            where = combinations.contexts[rows]
            places.append(width + where * self._count + who)
            values.append(ones)
            width += self._count * len(self._contexts)
        return sparse.csr_matrix(
            (np.concatenate(values), (np.tile(rows, len(places)), np.concatenate(places))),
            shape=(len(combinations), width),
        )

    def _dense(self, combinations: Combinations) -> list[tuple[str, FloatArray]]:
        """Blocks of columns with the names of their groups."""
        filled = combinations.components >= 0
        items = np.where(filled[:, :, None], self._urs[combinations.components], 0.0)
        orders = filled.sum(axis=1)[:, None] == np.arange(1, combinations.slots + 1)[None, :]
        summed = items.sum(axis=1)
        lead = np.where(filled[:, :, None], self.lead(combinations.components), 0.0)
        blocks = [("order", orders.astype(np.float64)), ("UR", summed), ("pair", _paired(lead))]
        if self._doses_vary:
            doses = np.where(filled, self._doses[combinations.components, combinations.levels], 0.0)
            blocks.append(("UR by dose", (items * doses[:, :, None]).sum(axis=1)))
        if self._several:
            here = self._contexts[combinations.contexts]
            crossed = lead.sum(axis=1)[:, :, None] * here[:, None, :_CROSSED]
            blocks += [("context", here), ("UR by context", crossed.reshape(len(here), -1))]
        for place, told in enumerate(self._prior.columns(combinations).T):
            blocks.append((f"prior {place}", told[:, None]))
        return blocks


def _paired(items: FloatArray) -> FloatArray:
    """Symmetric products of two columns, summed over the pairs of each set, (N, q (q + 1) / 2)."""
    first, second = np.triu_indices(items.shape[2])
    total = items.sum(axis=1)
    squares = np.einsum("nka,nkb->nab", items, items)[:, first, second]
    products: FloatArray = 0.5 * (total[:, first] * total[:, second] - squares)
    return products
