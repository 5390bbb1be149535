"""Narrow a space down by its tiles, to somewhat more candidates than are wanted."""

from dataclasses import dataclass

import numpy as np
import torch

from acquisition.belief.member_rater import MemberRater, Tiling
from acquisition.limits.offer import Gate
from acquisition.scanning.found import Found, Keeping
from acquisition.scanning.pool import Question, Utility
from acquisition.scanning.scan_checkpoint import Checkpoint
from acquisition.scanning.scan_question import fingerprint
from acquisition.scanning.sweep import Sweep
from acquisition.scatter import scattered
from loop.ports.arrays import IntArray
from loop.ports.engine import Compute, Progress, TiledSpace

_AGREEMENT = 0.99
"""The share of the K best that tiles in bf16 must be sure to have kept, or they do not count."""
_FIRST = 0.9
"""The share of the progress that a scan in bf16 gets; the rest is for doing it over."""


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Where the best candidates of a space are.

    Attributes:
        addresses: Sorted addresses that tiles left over, all of them on offer.
        ranges: Ranges of addresses that were never looked at, such as controls.
        scanned: How many candidates on offer were looked at or stand in these ranges.
        notes: Sentences about the precision.
    """

    addresses: IntArray
    ranges: list[range]
    scanned: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wish:
    """The rule by which candidates are rated, and what breaks ties.

    `patience` are the seconds that a scan must have lasted before it leaves something on disk.
    """

    utility: Utility
    favourites: Utility | None
    salt: int
    patience: float


def narrowed(ask: Question, wish: Wish, precision: str, progress: Progress) -> Narrowed | None:
    """Rate every tile; None where the space or the surrogate knows none.

    Tiles are computed in float32 at best, so more is kept than is wanted, and the reader rates
    that one by one. In bf16 still more is kept, and the order of what is kept is compared with
    that of float32 candidate by candidate: where a share of the best may have been missed, all
    is done over in float32.

    Raises:
        IncompatibleError: If a prediction or a utility is no finite number.
    """
    notes: tuple[str, ...] = ()
    if precision == "bf16":
        low = _sweep(ask, wish, precision, lambda share, doing: progress(_FIRST * share, doing))
        if low is None:
            return None
        sure, note = _agreement(ask, wish, low[1])
        if sure >= _AGREEMENT:
            return _answer(ask, *low, (note,))
        notes = (f"{note} So everything was rated again in float32.",)
    begun = _FIRST if notes else 0.0
    high = _sweep(
        ask, wish, "float32", lambda share, doing: progress(begun + (1 - begun) * share, doing)
    )
    return None if high is None else _answer(ask, *high, notes)


def _sweep(
    ask: Question, wish: Wish, precision: str, progress: Progress
) -> tuple[Sweep, Found] | None:
    space, request = ask.request.space, ask.request
    tiling = ask.beliefs.tiling(space, precision) if isinstance(space, TiledSpace) else None
    if tiling is None or not isinstance(space, TiledSpace):
        return None
    keeping = _keeping(ask.size, tiling, wish.salt, precision)
    rater = MemberRater(tiling, wish.utility, wish.favourites)
    checkpoint = None
    if request.checkpoint is not None:
        tiles = (precision, rater.rows, rater.columns)
        name = fingerprint(ask, keeping, wish.utility, wish.favourites, tiles)
        checkpoint = Checkpoint(request.checkpoint, name, wish.patience)
    gate = Gate(request.space, ask.excluded, ask.limits)
    threads = threads_of(request.compute) if tiling.device.type == "cpu" else 1
    sweep = Sweep(space, rater, gate, keeping, threads, checkpoint)
    return sweep, sweep.over(progress=progress)


def _keeping(size: int, tiling: Tiling, salt: int, precision: str) -> Keeping:
    each = -(-size // tiling.tiler.members)
    if precision == "float32":
        return Keeping(size + max(64, size // 20), each + max(16, each // 10), salt)
    return Keeping(size + max(256, size // 2), each + max(64, each // 2), salt)


def threads_of(compute: Compute) -> int:
    """How many threads rate tiles: as many as asked for, or as many as torch would use."""
    return compute.threads or torch.get_num_threads()


def _answer(ask: Question, sweep: Sweep, found: Found, notes: tuple[str, ...]) -> Narrowed:
    space = ask.request.space
    held = int(space.permitted(space.unrank(ask.excluded)).sum())
    outside = sweep.blocks.outside(len(space))
    if sweep.checkpoint is not None and sweep.checkpoint.trouble:
        notes = (*notes, sweep.checkpoint.trouble)
    return Narrowed(found.addresses, outside, space.on_offer() - held, notes)


def _agreement(ask: Question, wish: Wish, found: Found) -> tuple[float, str]:
    """What share of the K best a lower precision is sure to have kept, and a sentence.

    All that it kept is rated again. Candidates fall out of the K best by its rounding the less
    often, the farther down it ranks them; so of those that it does not keep at all, no more can
    belong to the K best than of the lower half of its reserve.
    """
    addresses, kept = found.marginal.addresses, len(found.marginal.addresses)
    if kept <= ask.size:
        return 1.0, "Tiles were rated in bf16, and all that is on offer again in float32."
    combinations = ask.request.space.unrank(addresses)
    rated = wish.utility(ask.beliefs.marginals(combinations)).double().cpu().numpy()
    exact = ask.limits.charged(rated, combinations).astype(np.float32)
    best = np.lexsort((scattered(addresses, wish.salt), -exact))[: ask.size]
    overlap = float((best < ask.size).mean())
    sure = 1.0 - float((best >= (ask.size + kept) // 2).mean())
    note = (
        f"Tiles were rated in bf16: of the {ask.size:,} best in float32 it ranked {overlap:.1%} "
        f"among its own {ask.size:,}, and at least {sure:.1%} are kept."
    )
    return sure, note
