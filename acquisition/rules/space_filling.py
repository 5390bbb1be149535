"""Space filling: a batch that leaves no candidate far from all that will have been measured."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from acquisition.limits.cheapest import provide
from acquisition.limits.group_limits import GroupLimits
from acquisition.limits.keeper import Keeper
from acquisition.limits.offer import Survey, count_left, shards
from acquisition.limits.ran_out import ran_out
from acquisition.rules.spread import Placing, Points
from acquisition.scatter import salt_from, scattered
from acquisition.settings import Number, read_settings
from loop.ports.arrays import BoolArray, Combinations, FloatArray, IntArray
from loop.ports.engine import BatchRequest, Chosen, Progress, silent

_NAME = "space-filling"
_SHARD = 32_768
_KNOWN = 2_048
_AT_ONCE = 64


class SpaceFilling:
    """Choose what is farthest from all that is measured, pending or chosen; repeat.

    For a first batch, before there is anything to learn from: the surrogate is never asked, and
    torch is not loaded. Distances are between the sums of URs (`spread.py`). What is chosen from
    is `pool` candidates drawn uniformly, more where limits leave too few of them; of what is
    taken at most 2,048 count.

    Source:
        Gonzalez (1985), "Clustering to minimize the maximum intercluster distance", Theoretical
        Computer Science: the largest distance left is at most twice the least possible.
    """

    settings: ClassVar[Mapping[str, Number]] = {"pool": Number(20_000, 1)}

    def check(self, settings: Mapping[str, str | int | float | bool]) -> None:
        """Refuse settings that are unknown or out of range."""
        read_settings(_NAME, settings, self.settings)

    def choose(
        self, request: BatchRequest, rng: np.random.Generator, progress: Progress = silent
    ) -> Chosen:
        """Choose for any goal; a score is the distance to the nearest other when it was chosen.

        The first, where nothing is taken, is the most typical; its score is how typical it is
        not. Unlike perturbagens are about 1.4 apart.

        Cost:
            O(q K (D + k^2)) for a pool of K and URs of D numbers; memory O(K D).
        """
        settings = read_settings(_NAME, request.settings, self.settings)
        left = count_left(request)
        spreading = _Spreading(request, salt_from(rng))
        spreading.fill(max(int(settings["pool"]), 4 * request.size), progress)
        progress(1.0, f"chose {request.size:,} candidates")
        return spreading.chosen(left)


class _Spreading:
    """A batch that is being spread out."""

    def __init__(self, request: BatchRequest, salt: int) -> None:
        self._request = request
        self._salt = salt
        self._placing = Placing(request.representations)
        self._keeper = Keeper(request.limits, request.size)
        self._addresses: list[int] = []
        self._distances: list[float] = []
        self._looked_at = 0
        self._typical_first = not len(request.taken) and not len(request.pending)

    def fill(self, size: int, progress: Progress) -> None:
        """Choose from `size` candidates, and where limits rule out too many from more.

        Raises:
            NotEnoughCandidatesError: If the limits leave too few of all.
        """
        request, keeper = self._request, self._keeper
        while len(self._addresses) < request.size:
            excluded = np.union1d(request.taken, np.array(self._addresses, dtype=np.int64))
            missing = request.size - len(self._addresses)
            if keeper.budget is not None:
                others = keeper.without_budget()
                provide(request, keeper.budget, others, excluded, missing, self._salt)
            survey = Survey(len(request.space), size, self._salt)
            addresses = self._on_offer(survey, excluded)
            if len(addresses):
                self._extend(addresses, progress)
            if survey.is_whole and len(self._addresses) == request.size - missing:
                raise ran_out(request, keeper, len(self._addresses), excluded, survey)
            size *= 4

    def chosen(self, left: int) -> Chosen:
        """The batch, with a sentence for each."""
        among = f"{self._looked_at:,} of {left:,} candidates"
        reasons = [
            f"{distance:.2g} away from the nearest perturbation measured, pending or chosen, the "
            f"farthest of {among} (unlike perturbagens are about 1.4 apart)."
            for distance in self._distances
        ]
        if self._typical_first:
            reasons[0] = f"The most typical of {among}, from which the batch spreads out."
        return Chosen(
            np.array(self._addresses, dtype=np.int64), np.array(self._distances), tuple(reasons)
        )

    def _on_offer(self, survey: Survey, excluded: IntArray) -> IntArray:
        """What may be chosen of a survey, in random order, so that ties go to no one."""
        every = shards(self._request, survey, excluded, _Lasting(self._keeper), _SHARD)
        addresses = np.concatenate([shard.addresses for shard in every])
        return addresses[np.argsort(scattered(addresses, self._salt))]

    def _extend(self, addresses: IntArray, progress: Progress) -> None:
        """Choose from candidates until the batch is full or none of them may join."""
        request, keeper = self._request, self._keeper
        combinations = request.space.unrank(addresses)
        field = _Field(self._placing.points(combinations))
        self._looked_at = max(self._looked_at, len(addresses))
        field.shun(self._placing.points(self._known()))
        left = np.ones(len(addresses), dtype=np.bool_)
        allowed = keeper.allowed(combinations)
        while len(self._addresses) < request.size and allowed.any():
            position, distance = field.farthest(np.flatnonzero(allowed))
            self._addresses.append(int(addresses[position]))
            self._distances.append(distance)
            keeper.count(combinations[position : position + 1])
            field.leave(position)
            left[position] = False
            allowed = left & keeper.allowed(combinations) if keeper.limits else left
            progress(0.99 * len(self._addresses) / request.size, "spreading out the batch")

    def _known(self) -> Combinations:
        """What is taken, pending or chosen; of many an even selection."""
        request = self._request
        taken = request.taken
        if len(taken) > _KNOWN:
            taken = taken[np.linspace(0, len(taken) - 1, _KNOWN).astype(np.int64)]
        own = np.array(self._addresses, dtype=np.int64)
        some = request.space.unrank(np.concatenate([taken, own]))
        return Combinations.joined([some, request.pending[:_KNOWN]])


class _Lasting:
    """The limits that keep out for good whom they keep out: all but groups, which take turns."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._groups = [limit for limit in keeper.limits if isinstance(limit, GroupLimits)]

    def allowed(self, combinations: Combinations) -> BoolArray:
        """Which perturbations may be chosen now or in another turn, shape (N,)."""
        return self._keeper.allowed(combinations, without=self._groups)


class _Field:
    """K candidates as points, and how far each is from the nearest that is left behind."""

    def __init__(self, points: Points) -> None:
        self._points = points
        self._lengths = points.square_lengths()
        self._nearest: FloatArray | None = None

    def shun(self, others: Points) -> None:
        """Keep away from other points."""
        for start in range(0, len(others), _AT_ONCE):
            self._approach(others[start : start + _AT_ONCE])

    def leave(self, position: int) -> None:
        """Keep away from one of the candidates."""
        self._approach(self._points[position : position + 1])

    def farthest(self, positions: IntArray) -> tuple[int, float]:
        """The position of the farthest of some, and how far it is; of nothing, the most typical."""
        if self._nearest is None:
            middle = self._points.known.mean(axis=0)
            apart = self._lengths - 2 * (self._points.known @ middle) + middle @ middle
            position = int(positions[apart[positions].argmin()])
            return position, float(np.sqrt(max(apart[position], 0.0)))
        position = int(positions[self._nearest[positions].argmax()])
        return position, float(np.sqrt(self._nearest[position]))

    def _approach(self, others: Points) -> None:
        square = others.square_lengths() - 2 * self._points.products(others)
        nearest = (square.min(axis=1) + self._lengths).clip(min=0)
        self._nearest = nearest if self._nearest is None else np.minimum(self._nearest, nearest)
