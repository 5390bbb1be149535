"""How every item is rated together with a few landmark sets."""

import queue
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from acquisition.belief.member_rater import MemberRater
from acquisition.cascade.exact_rating import Count, ExactRating
from acquisition.limits.keeper import Keeper
from acquisition.scanning.item_numbers import ItemNumbers
from acquisition.scanning.sweep import one_thread_in_torch
from loop.ports.arrays import Combinations, FloatArray, IntArray

_CHECKED = 64
_CLOSE = 1e-3
_TILES_TOGETHER = 4


@dataclass(frozen=True, slots=True)
class Landmarks:
    """The landmark sets of a section, and who rates them.

    Attributes:
        numbers: The U items.
        sets: Item numbers of m sets with one item less than the section's, shape (m, r - 1).
        context: The section's context.
        slots: The space's k.
        exact: Rates what is not in tiles.
        limits: Says what costs are worth.
    """

    numbers: ItemNumbers
    sets: IntArray
    context: int
    slots: int
    exact: ExactRating
    limits: Keeper

    def table(self, rater: MemberRater | None, threads: int, count: Count) -> FloatArray:
        """Utilities of every item with every landmark, shape (U, m); NaN where that is no set.

        By tiles where there is a rater and its tiles also hold for items before a prefix's last,
        which is true of whatever only adds up what it knows of items, and is tried out.
        """
        whole = np.arange(len(self.numbers))
        if rater is not None and self.tiles_hold(rater):
            return self._by_tiles(rater.anywhere(), threads, count)
        columns = [self._rated(whole, at, count) for at in range(len(self.sets))]
        return np.stack(columns, axis=1)

    def candidates(self, items: IntArray, landmark: int) -> IntArray:
        """Item numbers of some items with a landmark, shape (N, r)."""
        held = np.broadcast_to(self.sets[landmark], (len(items), self.sets.shape[1]))
        return np.concatenate([held, items[:, None]], axis=1)

    def _rated(self, items: IntArray, landmark: int, count: Count) -> FloatArray:
        rows = self.candidates(items, landmark)
        fit = self.numbers.are_sets(rows)
        values = np.full(len(items), np.nan)
        sets = self.numbers.sets(rows[fit], self.context, self.slots)
        values[fit] = self.exact.utilities(None, sets, count)
        return values

    def tiles_hold(self, rater: MemberRater) -> bool:
        """Whether tiles also hold for items before the last of a landmark; some are tried."""
        for at in np.argsort(-self.sets[:, -1], kind="stable")[:2].tolist():
            end = int(self.sets[at, -1])
            if not end:
                continue
            first = max(0, end - rater.columns)
            items = np.linspace(first, max(end - 1, first), _CHECKED).astype(np.int64)
            said = self._rated(items, at, lambda rated: None)
            with torch.no_grad():
                tile, _ = rater.rate(rater.begin(self._prefixes(slice(at, at + 1))), first, end)
            tiled = self._charged(tile[items - first].double().cpu().numpy(), items, at)
            there = np.isfinite(said)
            size = np.abs(said[there]).max(initial=0.0) + 1e-12
            if not (np.abs(tiled[there] - said[there]) <= _CLOSE * size).all():
                return False
        return True

    def _by_tiles(self, rater: MemberRater, threads: int, count: Count) -> FloatArray:
        items, rows = len(self.numbers), rater.rows
        table = np.empty((items, len(self.sets)))
        width = rater.columns * _TILES_TOGETHER
        cuts = [(at, min(at + width, items)) for at in range(0, items, width)]
        stripes = [slice(at, at + rows) for at in range(0, len(self.sets), rows)]
        raters: queue.SimpleQueue[MemberRater] = queue.SimpleQueue()
        for each in [rater, *(rater.twin() for _ in range(threads - 1))]:
            raters.put(each)

        def fill(cut: tuple[int, int]) -> int:
            torch.set_num_threads(1)
            mine = raters.get()
            try:
                for stripe in stripes:
                    self._fill(table, mine, stripe, cut)
            finally:
                raters.put(mine)
            return (cut[1] - cut[0]) * len(self.sets)

        with one_thread_in_torch(), ThreadPoolExecutor(threads) as pool:
            try:
                for rated in pool.map(fill, cuts):
                    count(rated)
            finally:
                pool.shutdown(cancel_futures=True)
        whole = np.arange(items)
        for at in range(len(self.sets)):
            table[:, at] = self._charged(table[:, at : at + 1], whole, at)
        return table

    @torch.no_grad()
    def _fill(
        self, table: FloatArray, rater: MemberRater, stripe: slice, cut: tuple[int, int]
    ) -> None:
        begun = rater.begin(self._prefixes(stripe))
        for first in range(*cut, rater.columns):
            stop = min(first + rater.columns, cut[1])
            tile, _ = rater.rate(begun, first, stop)
            table[first:stop, stripe] = tile.double().cpu().numpy()

    def _charged(self, utilities: FloatArray, items: IntArray, landmark: int) -> FloatArray:
        rows = self.candidates(items, landmark)
        fit = self.numbers.are_sets(rows)
        values = np.where(fit, utilities[:, 0], np.nan)
        if self.limits.budget is not None:
            sets = self.numbers.sets(rows[fit], self.context, self.slots)
            values[fit] = self.limits.charged(values[fit], sets)
        return values

    def _prefixes(self, part: slice) -> Combinations:
        return self.numbers.sets(self.sets[part], self.context, self.slots)
