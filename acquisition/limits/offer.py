"""What is on offer: addresses neither taken nor forbidden, in shards, and whether they suffice."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from acquisition.limits.keeper import Keeper
from acquisition.limits.limit import Allows
from acquisition.scatter import scattered
from loop.domain.errors import NotEnoughCandidatesError
from loop.ports.arrays import BoolArray, Combinations, FloatArray, IntArray
from loop.ports.engine import BatchRequest, CandidateSpace


@dataclass(frozen=True, slots=True)
class Survey:
    """Which addresses of a space are looked at: all, or `limit` drawn at random.

    The drawn ones are stratified: the space is cut into `limit` stretches of almost equal
    length and one address is drawn in each, so that none repeats, the space is never listed,
    and a second look sees the same ones.
    """

    total: int
    limit: int
    salt: int

    @property
    def is_whole(self) -> bool:
        """Whether every address is looked at."""
        return self.total <= self.limit

    def __len__(self) -> int:
        """How many addresses are looked at, taken and forbidden ones included."""
        return min(self.total, self.limit)

    def addresses(self, start: int, stop: int) -> IntArray:
        """The addresses at some places of the survey, ascending, shape (stop - start,)."""
        places = np.arange(start, stop, dtype=np.int64)
        if self.is_whole:
            return places
        width, longer = divmod(self.total, self.limit)
        begins = places * width + np.minimum(places, longer)
        widths = (width + (places < longer)).astype(np.uint64)
        return begins + (scattered(places, self.salt) % widths).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Shard:
    """A stretch of a survey: what may be chosen of it; `share` of the survey is behind it.

    `on_offer` counts what limits leave no room for as well.
    """

    addresses: IntArray
    combinations: Combinations
    share: float
    on_offer: int


def shards(
    request: BatchRequest, survey: Survey, excluded: IntArray, limits: Allows, size: int
) -> Iterator[Shard]:
    """Walk a survey in stretches of `size`; memory is in proportion to `size`.

    `excluded` are sorted addresses that are left out, as are forbidden ones and those for
    which `limits` leave no room.
    """
    for start in range(0, len(survey), size):
        stop = min(start + size, len(survey))
        addresses = survey.addresses(start, stop)
        addresses = addresses[~is_in(addresses, excluded)]
        combinations = request.space.unrank(addresses)
        permitted = request.space.permitted(combinations)
        keep = permitted & limits.allowed(combinations)
        share, on_offer = stop / len(survey), int(permitted.sum())
        yield Shard(addresses[keep], combinations[keep], share, on_offer)


class Gate:
    """Who may be chosen, asked by address: not excluded, permitted, with room under the limits.

    Args:
        space: What the addresses are of.
        excluded: Sorted addresses that are left out.
        limits: What else a candidate must keep to, and what it costs; not changed meanwhile.
    """

    def __init__(self, space: CandidateSpace, excluded: IntArray, limits: Keeper) -> None:
        self._space = space
        self._excluded = excluded
        self._limits = limits

    def admits(self, addresses: IntArray) -> BoolArray:
        """Which may be chosen, shape (N,); any thread may ask."""
        answer = ~is_in(addresses, self._excluded)
        combinations = self._space.unrank(addresses[answer])
        answer[answer] = self._space.permitted(combinations) & self._limits.allowed(combinations)
        return answer

    def charged(self, addresses: IntArray, utilities: FloatArray) -> FloatArray:
        """Utilities less what their costs are worth, shape (N,); never more than given."""
        return self._limits.charged(utilities, self._space.unrank(addresses))


def picked_shards(
    space: CandidateSpace,
    addresses: IntArray,
    ranges: Sequence[range],
    gate: Gate,
    size: int,
) -> Iterator[Shard]:
    """Walk some addresses, and ranges of others, in stretches of `size`, as `shards` does.

    Only what the gate admits is counted as on offer.
    """
    stretches = [addresses[at : at + size] for at in range(0, len(addresses), size)]
    total = len(addresses) + sum(map(len, ranges))
    listed = (part[at : at + size] for part in ranges for at in range(0, len(part), size))
    seen = 0
    for stretch in chain(stretches, (np.array(part, dtype=np.int64) for part in listed)):
        seen += len(stretch)
        kept = stretch[gate.admits(stretch)]
        yield Shard(kept, space.unrank(kept), seen / total, len(kept))


def is_in(addresses: IntArray, ordered: IntArray) -> BoolArray:
    """Which addresses stand in a sorted array, shape (N,)."""
    if not len(ordered):
        return np.zeros(len(addresses), dtype=np.bool_)
    place = np.searchsorted(ordered, addresses)
    answer: BoolArray = ordered[np.minimum(place, len(ordered) - 1)] == addresses
    return answer


def count_left(request: BatchRequest) -> int:
    """How many candidates are on offer: permitted and not taken.

    Raises:
        NotEnoughCandidatesError: If the batch is larger.
    """
    space = request.space
    taken = int(space.permitted(space.unrank(request.taken)).sum()) if len(request.taken) else 0
    left = space.on_offer() - taken
    if request.size > left:
        msg = (
            f"The batch needs {request.size:,} perturbations and {left:,} are left to choose "
            f"from; ask for {left:,} or fewer."
        )
        raise NotEnoughCandidatesError(msg)
    return left
