"""A batch chosen in parts, one after the other, each from what is left. Loads no torch."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from loop.ports.arrays import Combinations, FloatArray, IntArray
from loop.ports.engine import BatchRequest, Chosen, Group, Limits


def next_part(request: BatchRequest, before: Sequence[Chosen], size: int) -> BatchRequest:
    """What is asked of the next `size` choices of a batch: earlier ones are taken and pending.

    Of what the limits leave, money and what groups are still owed, a part gets a share by its
    size; what it does not spend is left for those after it.
    """
    chosen = np.concatenate([np.empty(0, dtype=np.int64), *(part.addresses for part in before)])
    combinations = request.space.unrank(chosen)
    missing = request.size - len(chosen)
    return replace(
        request,
        taken=np.union1d(request.taken, chosen),
        pending=Combinations.joined([request.pending, combinations]),
        size=size,
        limits=_share(_after(request.limits, combinations), size, missing),
    )


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
    if size >= missing:
        return limits
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
