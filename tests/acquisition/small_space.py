"""Pairs of a few perturbagens in two contexts, one pair forbidden: small enough to list."""

from itertools import combinations

import numpy as np

from loop.ports.arrays import BoolArray, Combinations, IntArray


class SmallSpace:
    """All pairs of `perturbagens` in each of `contexts`; (0, 1) is forbidden everywhere."""

    slots = 2

    def __init__(self, perturbagens: int = 9, contexts: int = 2) -> None:
        self.perturbagens = perturbagens
        self._pairs = np.array(list(combinations(range(perturbagens), 2)), dtype=np.int64)
        self._contexts = contexts

    def __len__(self) -> int:
        return len(self._pairs) * self._contexts

    def on_offer(self) -> int:
        return len(self) - self._contexts

    def unrank(self, addresses: IntArray) -> Combinations:
        context, pair = np.divmod(np.asarray(addresses, dtype=np.int64), len(self._pairs))
        components = self._pairs[pair]
        return Combinations(components, np.zeros_like(components), context)

    def rank(self, combinations: Combinations) -> IntArray:
        place = {tuple(pair): at for at, pair in enumerate(self._pairs.tolist())}
        pairs = [place.get(tuple(row), -1) for row in combinations.components.tolist()]
        at = np.array(pairs, dtype=np.int64)
        return np.where(at < 0, -1, combinations.contexts * len(self._pairs) + at)

    def permitted(self, combinations: Combinations) -> BoolArray:
        return np.asarray(~(combinations.components == [0, 1]).all(axis=1))
