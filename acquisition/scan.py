"""Stage one: rate every candidate of the space by itself, and keep the best in bounded memory."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from acquisition.belief.beliefs import Beliefs
from acquisition.cascade.cascade import Effort, cascade
from acquisition.limits.keeper import Keeper
from acquisition.limits.offer import Gate, Shard, Survey, picked_shards, shards
from acquisition.scanning.narrowing import Narrowed, Wish, narrowed
from acquisition.scanning.pool import Pool, PoolLists, Question, Utility
from loop.ports.arrays import IntArray
from loop.ports.engine import BatchRequest, Progress

__all__ = ["Pool", "Scan", "Utility"]

_NARROWED = 0.95
"""The share of a scan's time that goes into the tiles, where there are tiles."""


@dataclass(frozen=True, slots=True)
class Scan:
    """How to scan: what to look at, in shards of which size, and how ties are broken.

    `utility` rates each candidate by itself, shape (N,); `favourites` rates it for each member,
    shape (S, N), and None keeps the marginal list only. `precision` is that of tiles, 'float32'
    or 'bf16'; what they leave over is rated one by one all the same. A scan that has lasted
    `patience` seconds leaves in the request's checkpoint what it needs to go on after a kill. A
    space of tiles that is larger than the survey is narrowed down by a cascade, with `effort`.
    """

    survey: Survey
    shard: int
    salt: int
    utility: Utility
    favourites: Utility | None
    precision: str = "float32"
    patience: float = 20.0
    effort: Effort = field(default_factory=Effort)

    def best(
        self,
        request: BatchRequest,
        beliefs: Beliefs,
        excluded: IntArray,
        limits: Keeper,
        size: int,
        progress: Progress,
    ) -> Pool:
        """The `size` best candidates, joined by each member's best `size` / S.

        The answer does not depend on the size of a shard, on the number of threads, nor (but
        for rounding) on whether space and surrogate know tiles.

        Cost:
            Time: one prediction per address. Memory: one shard's or tile's predictions, and some
            times `size` addresses.

        Raises:
            IncompatibleError: If a prediction or a utility is no finite number.

        Source:
            `evidence.md` A5: with both kinds of lists the joint choice among K = 5,000 reached
            the value of an exact one among 100,576; with marginal lists alone 0.93 to 0.99.
        """
        ask = Question(request, beliefs, excluded, limits, size)
        few = self._narrowed(ask, progress)
        if few is None:
            every = shards(request, self.survey, excluded, limits, self.shard)
            pool = self._looked(ask, every, progress)
            return pool if self.survey.is_whole else replace(pool, notes=(_surveyed(pool),))
        gate = Gate(request.space, excluded, limits)
        pool = self._looked(
            ask,
            picked_shards(request.space, few.addresses, few.ranges, gate, self.shard),
            lambda share, doing: progress(_NARROWED + share * (1 - _NARROWED), doing),
        )
        return replace(pool, scanned=few.scanned, notes=few.notes)

    def _narrowed(self, ask: Question, progress: Progress) -> Narrowed | None:
        """Where it can be done: somewhat more candidates than wanted, the best among them."""
        wish = Wish(self.utility, self.favourites, self.salt, self.patience)

        def part(share: float, doing: str) -> None:
            progress(_NARROWED * share, doing)

        if not self.survey.is_whole:
            return cascade(ask, wish, self.effort, part)
        return narrowed(ask, wish, self.precision, part)

    def _looked(self, ask: Question, offered: Iterable[Shard], progress: Progress) -> Pool:
        lists = PoolLists(ask, self.salt, self.utility, self.favourites)
        lists.look_at(offered, progress)
        return lists.pool()


def _surveyed(pool: Pool) -> str:
    """That most candidates were never looked at."""
    return (
        f"Only {pool.scanned:,} candidates, drawn at random, were looked at: the space is larger "
        "than scan_limit, and no student could be taught to look at the others."
    )
