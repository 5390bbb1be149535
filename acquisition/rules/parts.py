"""A batch chosen in parts, one after the other, each from what is left. Loads no torch."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from acquisition.limits.budget import Budget
from acquisition.limits.cheapest import cheapest
from acquisition.limits.keeper import Keeper
from loop.ports.arrays import Combinations, FloatArray, IntArray
from loop.ports.engine import BatchRequest, Chosen, Group, Limits


def next_part(
    request: BatchRequest, before: Sequence[Chosen], size: int, salt: int = 0
) -> BatchRequest:
    """What is asked of the next `size` choices of a batch: earlier ones are taken and pending.

    Of what the limits leave, money and what groups are still owed, a part gets a share by its
    size; what it does not spend is left for those after it. Where a share leaves too little money
    for the part, or for what later parts must have, the cheapest candidates decide instead.
    `salt` draws those that prices are looked up of in a large space.
    """
    chosen = np.concatenate([np.empty(0, dtype=np.int64), *(part.addresses for part in before)])
    combinations = request.space.unrank(chosen)
    missing = request.size - len(chosen)
    rest = replace(
        request,
        taken=np.union1d(request.taken, chosen),
        pending=Combinations.joined([request.pending, combinations]),
        size=missing,
        limits=_after(request.limits, combinations),
    )
    if size >= missing:
        return rest
    part = replace(rest, size=size, limits=_share(rest.limits, size, missing))
    if not math.isfinite(rest.limits.money):
        return part
    return replace(part, limits=replace(part.limits, money=_purse(rest, part, salt)))


def _purse(rest: BatchRequest, part: BatchRequest, salt: int) -> float:
    """What a part may spend: its share, less what the choices after it cannot do without.

    Whatever the part chooses, the cheapest of those that `rest` needs and it left alone cost no
    more than the dearest of them. But it may always spend what it needs itself.
    """
    reserved = float(np.sort(_least_prices(rest, salt))[part.size :].sum())
    share = min(part.limits.money, rest.limits.money - reserved)
    return max(share, float(_least_prices(part, salt).sum()))


def _least_prices(request: BatchRequest, salt: int) -> FloatArray:
    """Prices of a batch that costs as little as the other limits allow, shape (q,)."""
    budget = Budget(request.limits, request.size)
    others = Keeper(request.limits, request.size).without_budget()
    return budget.prices(cheapest(request, budget, others, request.taken, request.size, salt))


def _after(limits: Limits, combinations: Combinations) -> Limits:
    """What limits leave once some choices were made."""
    used = combinations.components[combinations.components >= 0]
    uses, costs = limits.uses, np.append(limits.costs, 0.0)
    if len(uses):
        uses = uses + np.bincount(used, minlength=len(uses)).astype(np.int64)
    spent = limits.well_cost * len(combinations)
    if len(limits.costs):
        spent += float(costs[combinations.components].sum())
    groups = tuple(_group_after(group, combinations) for group in limits.groups)
    return replace(limits, uses=uses, money=limits.money - spent, groups=groups)


def _group_after(group: Group, combinations: Combinations) -> Group:
    members = np.append(group.members, False)
    count = int(members[combinations.components].any(axis=1).sum())
    most = None if group.at_most is None else max(group.at_most - count, 0)
    return replace(group, at_least=max(group.at_least - count, 0), at_most=most)


def _share(limits: Limits, size: int, missing: int) -> Limits:
    groups = []
    for group in limits.groups:
        # What later parts cannot hold is owed now.
        due = max(group.at_least * size // missing, group.at_least - (missing - size))
        groups.append(replace(group, at_least=due))
    return replace(limits, money=limits.money * size / missing, groups=tuple(groups))


def joined(parts: Sequence[Chosen]) -> Chosen:
    """The parts as one batch, in their order.

    Ranks are those of a part's own rating. Contributions and values are left out: those of
    different parts cannot be added up.
    """
    ranks = [part.ranks if len(part.ranks) else np.zeros_like(part.addresses) for part in parts]
    return Chosen(
        _together([part.addresses for part in parts]),
        np.concatenate([np.empty(0), *(part.scores for part in parts)]),
        tuple(reason for part in parts for reason in part.reasons),
        ranks=_together(ranks),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
    )


def _together(arrays: Sequence[IntArray]) -> IntArray:
    return np.concatenate([np.empty(0, dtype=np.int64), *arrays])


def whole_parts(shares: Sequence[float], size: int) -> list[int]:
    """`size` cut in proportion to shares, in whole numbers: the largest remainders first."""
    exact: FloatArray = np.array(shares) / sum(shares) * size
    counts = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(-(exact - counts), kind="stable")
    counts[order[: size - int(counts.sum())]] += 1
    return [int(count) for count in counts]
