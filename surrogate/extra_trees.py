"""Extremely randomised trees (Geurts, Ernst and Wehenkel, 2006) on symmetric columns.

Trees come in small forests, the members; each member learns from its own share of the wells
(`surrogate.bagging`). What members say of wells that they did not see sets how far they are
trusted and how much noise is left (`surrogate.out_of_bag`), as for `ensemble`.
"""

from collections.abc import Mapping
from functools import partial
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import ExtraTreesRegressor

from loop.ports.arrays import Combinations, FloatArray
from loop.ports.engine import Progress
from surrogate.bagging import bagging_masks
from surrogate.representation.whitening import Whitenings
from surrogate.settings import Range
from surrogate.solution import Arrays, Observed, Solution
from surrogate.solved_surrogate import SolvedSurrogate
from surrogate.tree_features import TreeFeatures
from surrogate.trees import Trees
from surrogate.trusted_members import reopened, trusted


class ExtraTrees(SolvedSurrogate):
    """Extremely randomised trees; see the module.

    A fit grows `members` x `trees` trees for each readout in O(n F log n) each, on one CPU core;
    every fit grows them anew. Prediction costs O(depth) a tree and a perturbation. A tree answers
    from the nearest leaf, so far from all data the members agree too much: a perturbagen without
    a UR, or a context, that was never measured gets the spread of all predictions on top.
    """

    name = "extra-trees"
    family = "trees"
    known_settings: ClassVar[Mapping[str, Range]] = {
        "components": Range(64, 1, 4096, whole=True),
        "members": Range(16, 2, 1024, whole=True),
        "trees": Range(12, 1, 1024, whole=True),
        "leaf": Range(1, 1, 1e6, whole=True),
        "bag": Range(0.75, 0.05, 0.95),
    }

    def _learned(self, observed: Observed, before: Solution | None, progress: Progress) -> Solution:
        features = self._features(observed.whitenings)
        table = features(observed.combinations)
        members, readouts = int(self._settings["members"]), observed.standard.shape[1]
        masks = bagging_masks(observed.seed, members, observed.identities, self._settings["bag"])
        forests, seen = [], np.zeros((readouts, *masks.shape), dtype=bool)
        for readout in range(readouts):
            rows = observed.measured(readout)
            for member in range(members):
                # With hardly any wells a member's share may be empty; then it learns from all.
                own = rows[masks[member, rows]]
                own = own if len(own) else rows
                seen[readout, member, own] = True
                seed = (observed.seed + 7_919 * (readout * members + member)) % 2**32
                forests.append(self._grown(table, observed, own, readout, seed))
                progress((len(forests) - 0.5) / (readouts * members), "growing trees")
        trees = Trees.of(forests)
        speak = partial(_spoken, trees, features, readouts, members)
        return trusted(speak, trees.arrays(), observed, seen, self._problem.representations)

    def _grown(
        self,
        table: npt.NDArray[np.float32],
        observed: Observed,
        rows: npt.NDArray[np.int64],
        readout: int,
        seed: int,
    ) -> ExtraTreesRegressor:
        forest = ExtraTreesRegressor(
            n_estimators=int(self._settings["trees"]),
            min_samples_leaf=int(self._settings["leaf"]),
            random_state=seed,
        )
        if not len(rows):
            return forest.fit(table[:1], [0.0])
        # Ties between splits must not be broken by the last bit, which hangs on the unit.
        values = np.round(observed.standard[rows, readout], 6)
        return forest.fit(table[rows], values, sample_weight=observed.wells[rows, readout])

    def _reopened(
        self,
        arrays: Arrays,
        whitenings: Whitenings,
        seed: int,
        fold: tuple[FloatArray, FloatArray],
    ) -> Solution:
        features, trees = self._features(whitenings), Trees.of_arrays(arrays)
        members, readouts = arrays["own"].shape[1], len(arrays["trust"])
        speak = partial(_spoken, trees, features, readouts, members)
        return reopened(speak, trees.arrays(), arrays, fold)

    def _features(self, whitenings: Whitenings) -> TreeFeatures:
        return TreeFeatures(self._problem.representations, whitenings, self._prior)


def _spoken(
    trees: Trees, features: TreeFeatures, readouts: int, members: int, asked: Combinations
) -> FloatArray:
    """What each member, the mean of its trees, says of each row, shape (members, N, readouts)."""
    said = trees(features(asked)).reshape(readouts, members, -1, len(asked)).mean(axis=2)
    return np.moveaxis(said, 0, 2)
