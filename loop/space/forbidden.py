"""Sets of perturbagens that must never act together, looked up for many rows at once."""

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from loop.domain.errors import InvalidError
from loop.ports.arrays import BoolArray, IntArray


def minimal_sets(
    forbidden: Iterable[Collection[int]], perturbagens: int
) -> tuple[tuple[int, ...], ...]:
    """Forbidden sets as sorted tuples, sorted, without those that contain another of them.

    Raises:
        InvalidError: If a set is empty, or holds a position that the library does not have.
    """
    distinct = {frozenset(each) for each in forbidden}
    for each in distinct:
        if not each or min(each) < 0 or max(each) >= perturbagens:
            msg = (
                f"Forbidden set {sorted(each)} must hold at least one position, each from 0 to "
                f"{perturbagens - 1}; drop it from the forbidden sets, or mend it."
            )
            raise InvalidError(msg)
    return tuple(sorted(tuple(sorted(each)) for each in without_supersets(distinct)))


def without_supersets(sets: Iterable[frozenset[int]]) -> list[frozenset[int]]:
    """Those of some distinct, non-empty sets that contain no other one of them."""
    by_size: dict[int, list[frozenset[int]]] = {}
    for each in sets:
        by_size.setdefault(len(each), []).append(each)
    kept: list[frozenset[int]] = []
    # Whoever contains a set contains its smallest member, so each is listed under that only.
    smaller: dict[int, list[frozenset[int]]] = {}
    for size in sorted(by_size):
        fresh = [
            each
            for each in by_size[size]
            if not any(less <= each for one in each for less in smaller.get(one, ()))
        ]
        for each in fresh:
            smaller.setdefault(min(each), []).append(each)
        kept += fresh
    return kept


class ForbiddenSets:
    """A prefix tree over forbidden sets, held in sorted arrays.

    Sets of any size are stored; memory is in proportion to their total size and to P. A look-up
    of N rows follows only the rows that still match a prefix, so it costs O(N k) where few
    perturbagens are constrained, and O(N C(k, s)) at worst, s being the size of the sets.
    """

    def __init__(self, sets: Sequence[tuple[int, ...]], perturbagens: int) -> None:
        """Store `minimal_sets` of a library of `perturbagens`."""
        self._width = perturbagens
        nodes: dict[tuple[int, ...], int] = {(): 0}
        for each in sets:
            for end in range(1, len(each) + 1):
                nodes.setdefault(each[:end], len(nodes))
        pairs = sorted(
            (nodes[prefix[:-1]] * perturbagens + prefix[-1], node)
            for prefix, node in nodes.items()
            if prefix
        )
        self._edges = np.array([edge for edge, _ in pairs], dtype=np.int64)
        self._nodes = np.array([node for _, node in pairs], dtype=np.int64)
        self._is_set = np.zeros(len(nodes), dtype=np.bool_)
        self._is_set[[nodes[each] for each in sets]] = True
        self._depth = max((len(each) for each in sets), default=0)

    def broken_by(self, components: IntArray) -> BoolArray:
        """Which rows contain a forbidden set, shape (N,).

        Args:
            components: Positions ascending along a row, -1 last, shape (N, k).
        """
        broken = np.zeros(len(components), dtype=np.bool_)
        if self._depth:
            rows = np.arange(len(components))
            self._follow(components, rows, np.zeros_like(rows), 0, broken)
        return broken

    def _follow(
        self, components: IntArray, rows: IntArray, nodes: IntArray, start: int, broken: BoolArray
    ) -> None:
        for slot in range(start, components.shape[1]):
            going = ~broken[rows]
            rows, nodes = rows[going], nodes[going]
            chosen = components[rows, slot]
            held = (chosen >= 0) & (chosen < self._width)
            edges = nodes * self._width + chosen
            places = np.minimum(np.searchsorted(self._edges, edges), len(self._edges) - 1)
            met = np.flatnonzero(held & (self._edges[places] == edges))
            if not len(met):
                continue
            reached, their_rows = self._nodes[places[met]], rows[met]
            ends = self._is_set[reached]
            broken[their_rows[ends]] = True
            if not ends.all():
                self._follow(components, their_rows[~ends], reached[~ends], slot + 1, broken)
