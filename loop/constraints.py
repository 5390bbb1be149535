"""From constraints as a person writes them to the limits of one batch, and what is left of them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from loop.domain.campaign import BatchRules
from loop.domain.constraints import GroupRule
from loop.domain.errors import CampaignFileError
from loop.domain.nearest import did_you_mean
from loop.domain.perturbation import Perturbagen
from loop.ports.arrays import BoolArray, Combinations, FloatArray, IntArray
from loop.ports.engine import Group, Limits

_SPLIT = ";"
_NAMED = 8


def limits_of(rules: BatchRules, perturbagens: Sequence[Perturbagen]) -> Limits:
    """What a whole batch must keep to, references and audit wells included.

    Costs are those of a choice, all its replicates together; they are left out where `money` does
    not bind, so that a column of costs alone changes nothing. O(P) a group.

    Raises:
        CampaignFileError: If a group names a column or a value that the library does not have,
            or two sections about one group contradict each other.
    """
    asked = rules.constraints
    bound = asked.money is not None
    costs = [each.cost * rules.replicates for each in perturbagens] if bound else []
    return Limits(
        max_uses=rules.max_uses,
        uses=np.zeros(len(perturbagens), dtype=np.int64),
        costs=np.array(costs, dtype=np.float64),
        well_cost=asked.well_cost * rules.replicates if bound else 0.0,
        money=math.inf if asked.money is None else asked.money,
        groups=_merged(group for rule in asked.groups for group in _groups(rule, perturbagens)),
        diversity=asked.diversity,
    )


def values_in(cell: str) -> tuple[str, ...]:
    """The values that a cell of the library's table holds: `DDR; cell cycle` are two."""
    return tuple(value for each in cell.split(_SPLIT) if (value := each.strip()))


def column_of(name: str, perturbagens: Sequence[Perturbagen], key: str) -> list[tuple[str, ...]]:
    """The values of each perturbagen in a column of the library's table.

    Raises:
        CampaignFileError: If no perturbagen has such a column; the sentence names `key`.
    """
    if name == "kind":
        return [(each.kind,) for each in perturbagens]
    columns = {"kind", *(column for each in perturbagens for column in each.attributes)}
    if name not in columns:
        listed = ", ".join(repr(column) for column in sorted(columns))
        msg = (
            f"{key} names the column {name!r}, which the perturbagen table does not have "
            f"(it has {listed}).{did_you_mean(name, columns)}"
        )
        raise CampaignFileError(msg)
    return [values_in(each.attributes.get(name, "")) for each in perturbagens]


def _groups(rule: GroupRule, perturbagens: Sequence[Perturbagen]) -> list[Group]:
    cells = column_of(rule.column, perturbagens, "constraints.group.column")
    known = dict.fromkeys(value for values in cells for value in values)
    if rule.value is not None and rule.value not in known:
        listed = ", ".join(repr(value) for value in list(known)[:_NAMED])
        msg = (
            f"constraints.group.value = {rule.value!r} stands nowhere in the column "
            f"{rule.column!r} of the perturbagen table (which holds {listed or 'nothing'}"
            f"{', …' if len(known) > _NAMED else ''}).{did_you_mean(rule.value, known)}"
        )
        raise CampaignFileError(msg)
    return [
        Group(
            f"{rule.column} = {value!r}",
            np.array([value in values for values in cells], dtype=np.bool_),
            rule.at_least,
            rule.at_most,
        )
        for value in ([rule.value] if rule.value is not None else known)
    ]


def _merged(groups: Iterable[Group]) -> tuple[Group, ...]:
    """One group for each name, with the strictest of what its sections ask."""
    by_name: dict[str, Group] = {}
    for group in groups:
        known = by_name.setdefault(group.name, group)
        bounds = [most for most in (known.at_most, group.at_most) if most is not None]
        least, most = max(known.at_least, group.at_least), min(bounds, default=None)
        if most is not None and least > most:
            msg = (
                f"constraints.group: the sections about {group.name} ask for at_least = {least} "
                f"and at_most = {most}; lower at_least to {most}, or raise at_most to {least}."
            )
            raise CampaignFileError(msg)
        by_name[group.name] = replace(known, at_least=least, at_most=most)
    return tuple(by_name.values())


def binds(limits: Limits) -> bool:
    """Whether there is anything that a batch could break."""
    return bool(limits.max_uses or limits.groups or math.isfinite(limits.money))


def counts_of_uses(batch: Combinations, perturbagens: int) -> IntArray:
    """How often each of P perturbagens occurs in a batch, shape (P,)."""
    components = batch.components
    return np.bincount(components[components >= 0], minlength=perturbagens).astype(np.int64)


def holders(group: Group, batch: Combinations) -> BoolArray:
    """Which perturbations hold a member of a group, shape (N,)."""
    # The last entry answers for -1, the empty slot.
    return np.asarray(np.append(group.members, False)[batch.components].any(axis=1))


def costs_of(limits: Limits, batch: Combinations) -> FloatArray:
    """What each choice costs, shape (N,)."""
    if not len(limits.costs):
        return np.full(len(batch), limits.well_cost)
    costs: FloatArray = np.append(limits.costs, 0.0)[batch.components].sum(axis=1)
    return costs + limits.well_cost


def remaining(limits: Limits, fixed: Combinations) -> Limits:
    """What the rest of a batch must keep to once a part of it is fixed; O(F k G).

    Args:
        limits: Those of the whole batch, `uses` of shape (P,).
        fixed: The F perturbations of that part.
    """
    groups = []
    for group in limits.groups:
        held = int(holders(group, fixed).sum())
        at_most = None if group.at_most is None else max(0, group.at_most - held)
        groups.append(replace(group, at_least=max(0, group.at_least - held), at_most=at_most))
    return replace(
        limits,
        uses=limits.uses + counts_of_uses(fixed, len(limits.uses)),
        money=limits.money - float(costs_of(limits, fixed).sum()),
        groups=tuple(groups),
    )


def broken_by(limits: Limits, batch: Combinations, whole: bool = True) -> str | None:
    """What a batch breaks, as a clause; None where it keeps everything.

    Of a batch that is not `whole` yet the least numbers of groups are not asked.
    """
    uses = limits.uses + counts_of_uses(batch, len(limits.uses))
    if limits.max_uses and uses.max(initial=0) > limits.max_uses:
        return f"uses a perturbagen {uses.max()} times, of {limits.max_uses} allowed"
    cost = float(costs_of(limits, batch).sum())
    if cost > limits.money + _slack(limits.money):
        return f"costs {cost:g}, of {limits.money:g} there are"
    for group in limits.groups:
        held = int(holders(group, batch).sum())
        if whole and held < group.at_least:
            return f"holds {held} choices with {group.name}, of {group.at_least} at least"
        if group.at_most is not None and held > group.at_most:
            return f"holds {held} choices with {group.name}, of {group.at_most} at most"
    return None


def _slack(money: float) -> float:
    """Sums of costs round; a batch that spends the last cent is no offence."""
    return 1e-9 * max(1.0, abs(money)) if math.isfinite(money) else 0.0
