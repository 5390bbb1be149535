"""Walk all tiles of a space, and keep the best in bounded memory: on many threads, in parts."""

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from acquisition.belief.rater import Rater
from acquisition.scanning.found import Best, Collector, Found, Keeping
from acquisition.scanning.scan_checkpoint import Checkpoint
from acquisition.scanning.tile_blocks import Tile, TileBlocks
from acquisition.scanning.top_list import TopList
from acquisition.scatter import scattered
from loop.domain.errors import IncompatibleError
from loop.ports.arrays import BoolArray, FloatArray, IntArray
from loop.ports.engine import Progress, TiledSpace, silent


class Admission(Protocol):
    """Who may be chosen, and at what price; see `acquisition.limits.offer.Gate`."""

    def admits(self, addresses: IntArray) -> BoolArray:
        """Which of N addresses may be chosen, shape (N,)."""
        ...

    def charged(self, addresses: IntArray, utilities: FloatArray) -> FloatArray:
        """Utilities less what their costs are worth, shape (N,); never more than given."""
        ...


@dataclass(frozen=True, slots=True)
class Sweep:
    """How a space is walked.

    The answer hangs on the space, the rater and what is kept, to the last bit, and neither on
    the number of threads nor on how the blocks were dealt out or where it was interrupted.

    Attributes:
        space: What is walked; its controls are left out (see `TileBlocks.outside`).
        rater: Rates tiles; every thread gets a twin.
        admission: Says which candidates may be chosen. It is asked only of those that would make
            a list, so that what it costs hardly matters.
        keeping: What is kept.
        threads: How many threads rate; torch uses one inside each.
        checkpoint: Where a long sweep leaves what it needs to go on after a kill.
    """

    space: TiledSpace
    rater: Rater
    admission: Admission
    keeping: Keeping
    threads: int = 1
    checkpoint: Checkpoint | None = None

    @property
    def blocks(self) -> TileBlocks:
        """The canonical blocks; ranges of their numbers are the shards of a sweep."""
        return TileBlocks(self.space, self.rater.rows, self.rater.columns)

    def over(self, blocks: range | None = None, progress: Progress = silent) -> Found:
        """Rate some blocks, or all where None, and keep the best.

        `merge` makes one answer out of several parts. `progress` is called by the thread that
        calls this, and stops all others if it raises.

        Cost:
            Time: one tile of predictions after the other. Memory: what the raters need, and
            some times the candidates of one tile and of `keeping`.

        Raises:
            IncompatibleError: If a utility is not a finite number.
        """
        grid = self.blocks
        asked = range(len(grid)) if blocks is None else blocks
        collector = Collector(self.keeping)
        saved = None if self.checkpoint is None else self.checkpoint.recall(asked)
        if saved is not None:
            collector.take(saved)
        walk = _Walk(self, grid, collector, _left(asked, saved))
        walk.run(0 if saved is None else saved.rated, grid.candidates_in(asked), progress, asked)
        if self.checkpoint is not None:
            self.checkpoint.remove(asked)
        return collector.found()


class _Walk:
    """One run over blocks: threads that take the next block, and one that reports."""

    def __init__(self, sweep: Sweep, grid: TileBlocks, found: Collector, left: list[int]) -> None:
        self._sweep = sweep
        self._grid = grid
        self._found = found
        self._left = iter(left)
        self._threads = max(1, min(sweep.threads, len(left)))
        self._deal = threading.Lock()
        self._stop = threading.Event()
        self._reports: queue.SimpleQueue[int | None] = queue.SimpleQueue()

    def run(self, rated: int, total: int, progress: Progress, asked: range) -> None:
        """Rate what is left; `rated` of `total` candidates are behind us."""
        with one_thread_in_torch(), ThreadPoolExecutor(self._threads) as pool:
            raters = [self._sweep.rater, *self._twins()]
            workers = [pool.submit(self._work, rater) for rater in raters]
            try:
                self._watch(workers, rated, total, progress, asked)
            finally:
                self._stop.set()
        for worker in workers:
            worker.result()

    def _twins(self) -> Iterator[Rater]:
        for _ in range(self._threads - 1):
            yield self._sweep.rater.twin()

    def _watch(
        self,
        workers: list[Future[None]],
        rated: int,
        total: int,
        progress: Progress,
        asked: range,
    ) -> None:
        working = len(workers)
        while working:
            report = self._reports.get()
            if report is None:
                working -= 1
                continue
            rated += report
            if self._sweep.checkpoint is not None:
                self._sweep.checkpoint.keep(asked, self._found)
            progress(rated / max(total, 1), f"rated {rated:,} candidates")

    def _work(self, rater: Rater) -> None:
        try:
            torch.set_num_threads(1)
            with torch.no_grad():
                while (block := self._next()) is not None:
                    part = self._rated(rater, block)
                    self._found.take(part)
                    self._reports.put(part.rated)
        except BaseException:
            self._stop.set()
            raise
        finally:
            self._reports.put(None)

    def _next(self) -> int | None:
        with self._deal:
            return None if self._stop.is_set() else next(self._left, None)

    def _rated(self, rater: Rater, block: int) -> Found:
        lists = _BlockLists(self._sweep.keeping, self._sweep.admission, *self._found.floors())
        for tiles in self._grid.tiles(block):
            begun = rater.begin(tiles[0].stripe.prefixes)
            for tile in tiles:
                utilities, favourites = rater.rate(begun, tile.first, tile.stop)
                lists.offer(tile, utilities, favourites)
        ranges = np.array([[block, block + 1]], dtype=np.int64)
        return Found(*lists.best(), self._grid.candidates(block), ranges)


class _BlockLists:
    """The best of one block, of what the lists of the whole sweep still ask for."""

    def __init__(
        self, keeping: Keeping, admission: Admission, least: float, members: list[float]
    ) -> None:
        self._keeping = keeping
        self._admission = admission
        self._marginal = TopList(keeping.size, least)
        self._members = [TopList(keeping.each, each) for each in members]

    def offer(self, tile: Tile, utilities: Tensor, favourites: Tensor | None) -> None:
        """Look at a tile: utilities (L, R), and each member's, (S, L, R)."""
        if favourites is not None and not self._members:
            self._members = [TopList(self._keeping.each) for _ in range(len(favourites))]
        lists = [self._marginal, *(self._members if favourites is not None else [])]
        rated = utilities.flatten()[None]
        if favourites is not None:
            rated = torch.cat([rated, favourites.flatten(1)])
        outside = _outside(tile, rated.device)
        if outside is not None:
            rated = rated.masked_fill(outside, -torch.inf)
        peaks = rated.amax(dim=1).tolist()
        _check(peaks, rated, tile)
        self._offer(tile, lists, rated, peaks, outside)

    def _offer(
        self,
        tile: Tile,
        lists: list[TopList],
        rated: Tensor,
        peaks: list[float],
        outside: Tensor | None,
    ) -> None:
        wanting, places, values = [], [], []
        for each, row, peak in zip(lists, rated, peaks, strict=True):
            if peak >= each.least:
                passing = row >= each.least
                at = (passing if outside is None else passing & ~outside).nonzero()[:, 0]
                wanting.append(each)
                places.append(at.cpu().numpy())
                values.append(row[at].cpu().numpy())
        if not wanting:
            return
        addresses = tile.addresses(np.concatenate(places))
        admitted = self._admission.admits(addresses)
        start = 0
        for each, utilities in zip(wanting, values, strict=True):
            part = slice(start, start + len(utilities))
            keep, start = admitted[part], part.stop
            self._take(each, addresses[part][keep], utilities[keep].astype(np.float64))

    def _take(self, into: TopList, addresses: IntArray, utilities: FloatArray) -> None:
        if into is self._marginal:
            utilities = self._admission.charged(addresses, utilities)
        into.offer(addresses, utilities, scattered(addresses, self._keeping.salt))

    def best(self) -> tuple[Best, tuple[Best, ...]]:
        """The marginal list, and those of the members."""
        members = tuple(Best(*each.best()) for each in self._members)
        return Best(*self._marginal.best()), members


def _outside(tile: Tile, device: torch.device) -> Tensor | None:
    """Which places make no candidate, flat, shape (L R,); None: every one does."""
    if tile.is_full:
        return None
    starts = torch.from_numpy(tile.stripe.starts).to(device)
    return (torch.arange(tile.first, tile.stop, device=device)[:, None] < starts).flatten()


def _check(peaks: list[float], rated: Tensor, tile: Tile) -> None:
    """Refuse utilities that are no numbers: they would win every comparison, or none."""
    wrong = [at for at, peak in enumerate(peaks) if not peak < np.inf]
    if wrong:
        row = rated[wrong[0]]
        place = (row.isnan() | (row == torch.inf)).nonzero()[:1, 0].cpu().numpy()
        msg = (
            f"The candidate at address {int(tile.addresses(place)[0])} is rated "
            f"{float(row[int(place[0])])}, which is not a finite number; retrain the surrogate."
        )
        raise IncompatibleError(msg)


def _left(asked: range, saved: Found | None) -> list[int]:
    done = np.zeros(len(asked), dtype=np.bool_)
    for start, stop in [] if saved is None else saved.ranges.tolist():
        done[start - asked.start : stop - asked.start] = True
    left: list[int] = (np.flatnonzero(~done) + asked.start).tolist()
    return left


@contextmanager
def one_thread_in_torch() -> Iterator[None]:
    """Let torch use one thread inside, for several of ours compute side by side."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
