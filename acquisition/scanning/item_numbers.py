"""Numbers of items: between components with levels and places among the items of a tiled space."""

import numpy as np

from loop.ports.arrays import Combinations, IntArray


class ItemNumbers:
    """The U items of a `TiledSpace`, numbered by perturbagen, then level.

    Args:
        items: As `TiledSpace.items`.
    """

    def __init__(self, items: Combinations) -> None:
        self._perturbagens = items.components[:, 0]
        self._levels = items.levels[:, 0]
        last = int(self._perturbagens.max(initial=-1))
        self._first = np.searchsorted(self._perturbagens, np.arange(last + 2)).astype(np.int64)

    def __len__(self) -> int:
        """U."""
        return len(self._perturbagens)

    def of(self, combinations: Combinations) -> IntArray:
        """The item in each slot of N perturbations, U where it is empty, shape (N, k)."""
        held = combinations.components >= 0
        first = self._first[np.where(held, combinations.components, 0)]
        return np.where(held, first + combinations.levels, len(self))

    def perturbagens(self, numbers: IntArray) -> IntArray:
        """The perturbagens of some items, -1 for U, same shape."""
        return np.append(self._perturbagens, -1)[numbers]

    def behind(self, numbers: IntArray) -> IntArray:
        """The first item of the next perturbagen, for some items, same shape."""
        return self._first[self._perturbagens[numbers] + 1]

    def sets(self, numbers: IntArray, context: int, slots: int) -> Combinations:
        """Perturbations of N rows of q items each, shape (N, q), components ascending, k slots."""
        ordered = np.sort(numbers, axis=1)
        shape = (len(ordered), slots)
        components, levels = np.full(shape, -1, np.int64), np.full(shape, -1, np.int64)
        components[:, : ordered.shape[1]] = self._perturbagens[ordered]
        levels[:, : ordered.shape[1]] = self._levels[ordered]
        return Combinations(components, levels, np.full(len(ordered), context, dtype=np.int64))

    def are_sets(self, numbers: IntArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Which of N rows of items name no perturbagen twice, shape (N,)."""
        named = np.sort(self.perturbagens(numbers), axis=1)
        return np.asarray(~(named[:, 1:] == named[:, :-1]).any(axis=1))
