"""Which limit ended a choice before the batch was full."""

from acquisition.limits.keeper import Keeper
from acquisition.limits.limit import Allows, Limit
from acquisition.limits.offer import Survey, shards
from loop.domain.errors import NotEnoughCandidatesError
from loop.ports.arrays import BoolArray, Combinations, IntArray
from loop.ports.engine import BatchRequest

_SHARD = 32_768


def ran_out(
    request: BatchRequest, keeper: Keeper, chosen: int, excluded: IntArray, survey: Survey
) -> NotEnoughCandidatesError:
    """The refusal of a batch for which too few were found, though enough are on offer.

    It names the first limit without which there would have been one more, and where no single
    limit is to blame the first of all.
    """
    ending = _ending(request, keeper, excluded, survey)
    if ending:
        return NotEnoughCandidatesError(f"The batch needs {request.size:,} perturbations{ending}.")
    msg = (
        f"The batch needs {request.size:,} perturbations and {chosen:,} were found among the "
        f"{len(survey):,} addresses scanned of {survey.total:,}; raise scan_limit."
    )
    return NotEnoughCandidatesError(msg)


def _ending(request: BatchRequest, keeper: Keeper, excluded: IntArray, survey: Survey) -> str:
    if not _any_left(request, _AllBut(keeper, keeper.limits), excluded, survey):
        return ""
    for limit in keeper.limits:
        if _any_left(request, _AllBut(keeper, [limit]), excluded, survey):
            return limit.ending()
    return keeper.limits[0].ending()


def _any_left(request: BatchRequest, limits: Allows, excluded: IntArray, survey: Survey) -> bool:
    every = shards(request, survey, excluded, limits, _SHARD)
    return any(len(shard.addresses) for shard in every)


class _AllBut:
    """The limits of a keeper, some left out."""

    def __init__(self, keeper: Keeper, without: list[Limit]) -> None:
        self._without = without
        self._keeper = keeper

    def allowed(self, combinations: Combinations) -> BoolArray:
        return self._keeper.allowed(combinations, self._without)
