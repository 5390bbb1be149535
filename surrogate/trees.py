"""Regression trees as plain arrays, grown by scikit-learn and asked without it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import ExtraTreesRegressor

from loop.ports.arrays import FloatArray

Places = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Trees:
    """T trees, their nodes under one another; children are places in the same arrays.

    Attributes:
        roots: Where each tree begins, shape (T,).
        children: Left and right child of each node, shape (2, nodes); of a leaf, the leaf.
        features: Which column a node asks for, shape (nodes,); -1 at a leaf.
        thresholds: A row goes left where its column is at most this, shape (nodes,).
        values: What a leaf says, shape (nodes,).
    """

    roots: Places
    children: Places
    features: Places
    thresholds: FloatArray
    values: FloatArray

    @classmethod
    def of(cls, forests: Sequence[ExtraTreesRegressor]) -> "Trees":
        """The trees of fitted forests with one output, in their order."""
        grown = [tree.tree_ for forest in forests for tree in forest.estimators_]
        counts = np.array([tree.node_count for tree in grown])
        roots = np.concatenate([[0], np.cumsum(counts)[:-1]])
        children = [
            np.where(side < 0, np.arange(len(side)), side) + root
            for tree, root in zip(grown, roots, strict=True)
            for side in (tree.children_left, tree.children_right)
        ]
        return cls(
            roots.astype(np.int32),
            np.stack([np.concatenate(children[0::2]), np.concatenate(children[1::2])]).astype(
                np.int32
            ),
            np.maximum(np.concatenate([tree.feature for tree in grown]), -1).astype(np.int32),
            np.concatenate([tree.threshold for tree in grown]).astype(np.float64),
            np.concatenate([tree.value[:, 0, 0] for tree in grown]).astype(np.float64),
        )

    def __call__(self, table: npt.NDArray[np.float32]) -> FloatArray:
        """What every tree says of every row, shape (T, N), in O(T N depth).

        The table, shape (N, F), is float32 and thresholds are float64, as scikit-learn compares.
        """
        rows, width = table.shape
        flat = np.ascontiguousarray(table).ravel()
        at = np.repeat(self.roots, rows)
        start = np.tile(np.arange(rows, dtype=np.int64) * width, len(self.roots))
        left, right = self.children
        going = np.flatnonzero(self.features[at] >= 0)
        while len(going):
            here = at[going]
            below = flat[start[going] + self.features[here]] <= self.thresholds[here]
            here = np.where(below, left[here], right[here])
            at[going] = here
            going = going[self.features[here] >= 0]
        said: FloatArray = self.values[at].reshape(len(self.roots), rows)
        return said

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """As arrays by name."""
        return {f"trees.{name}": getattr(self, name) for name in _NAMES}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> "Trees":
        """The inverse of `arrays`."""
        kinds = (np.int32, np.int32, np.int32, np.float64, np.float64)
        held = (
            np.array(arrays[f"trees.{name}"], dtype=kind)
            for name, kind in zip(_NAMES, kinds, strict=True)
        )
        return cls(*held)


_NAMES = ("roots", "children", "features", "thresholds", "values")
