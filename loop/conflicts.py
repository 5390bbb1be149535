"""Constraints that cannot hold together are refused, the smallest conflicting part named."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeGuard

import numpy as np

from loop.batch_program import BatchProgram, Kind, Rule, Wanted
from loop.constraints import binds, broken_by, remaining
from loop.domain.errors import ConflictingConstraintsError
from loop.ports.arrays import Combinations
from loop.ports.engine import Limits
from loop.supply import Supply

_TRIED = 400
"""Programmes that may be solved to find a smaller conflict than the first one found."""
_BY_SUBTLETY = (
    Kind.AT_MOST,
    Kind.AT_LEAST,
    Kind.PLATES,
    Kind.MUST_INCLUDE,
    Kind.REFERENCE,
    Kind.AUDIT,
    Kind.MAX_USES,
    Kind.MONEY,
    Kind.SIZE,
)
"""Where several smallest parts exist, the one with the plainer rules is told."""
_EPSILON = 1e-6
_WAYS: Mapping[Kind, tuple[str, Wanted | None]] = {
    Kind.MAX_USES: ("raise batch.max_uses_per_perturbagen", Wanted(uses=1)),
    Kind.AT_LEAST: ("lower at_least of {}", Wanted(held=-1)),
    Kind.AT_MOST: ("raise at_most of {}", Wanted(held=1)),
    Kind.AUDIT: ("lower batch.audit", None),
    Kind.REFERENCE: ("name fewer designs in batch.reference", None),
    Kind.MUST_INCLUDE: ("name fewer perturbations in constraints.must_include", None),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What one batch has to be.

    Attributes:
        size: Choices, references and audit wells included.
        size_said: Who asked for it: `batch.size` or `--size`.
        audit: Audit wells.
        audit_share: The share that made them.
        limits: Those of the whole batch.
        references: Reference designs.
        required: Must-haves that are neither measured, nor pending, nor references.
        max_plates: Plates there are; 0: any number.
        plate_wells: Treatments that a plate holds.
        replicates: Wells of each choice.
        size_mend: How a person asks for another size: `ask for batch.size =`.
    """

    size: int
    size_said: str
    audit: int
    audit_share: float
    limits: Limits
    references: Combinations
    required: Combinations
    max_plates: int
    plate_wells: int
    replicates: int
    size_mend: str

    @property
    def binds(self) -> bool:
        """Whether anything but the size was asked for."""
        return binds(self.limits) or bool(self.max_plates) or len(self.required) > 0

    def rules(self) -> list[Rule]:
        """Everything asked, the subtlest rules first."""
        rules = [*self._shares(), *self._bounds(), *self._of_groups()]
        return sorted(rules, key=lambda rule: _BY_SUBTLETY.index(rule.kind))

    def _shares(self) -> list[Rule]:
        rules = [Rule(Kind.SIZE, f"{self.size_said} = {self.size}", self.size)]
        if self.size_said.startswith("-"):
            rules = [Rule(Kind.SIZE, f"{self.size_said} {self.size}", self.size)]
        if self.audit:
            said = f"batch.audit = {self.audit_share:g} ({self.audit} audit wells)"
            rules.append(Rule(Kind.AUDIT, said, self.audit))
        if len(self.references):
            said = f"batch.reference with {_counted(len(self.references), 'design')}"
            rules.append(Rule(Kind.REFERENCE, said, fixed=self.references))
        if len(self.required):
            said = f"constraints.must_include with {len(self.required)} still to be measured"
            rules.append(Rule(Kind.MUST_INCLUDE, said, fixed=self.required))
        return rules

    def _bounds(self) -> list[Rule]:
        rules = []
        if self.limits.max_uses:
            said = f"batch.max_uses_per_perturbagen = {self.limits.max_uses}"
            rules.append(Rule(Kind.MAX_USES, said, self.limits.max_uses))
        if math.isfinite(self.limits.money):
            said = f"constraints.money = {self.limits.money:.10g}"
            rules.append(Rule(Kind.MONEY, said, self.limits.money))
        if self.max_plates:
            held = self.max_plates * self.plate_wells // self.replicates
            said = f"constraints.max_plates = {self.max_plates} ({_counted(held, 'choice')} fit)"
            rules.append(Rule(Kind.PLATES, said, held))
        return rules

    def _of_groups(self) -> list[Rule]:
        rules = []
        for place, group in enumerate(self.limits.groups):
            if group.at_least:
                said = f"at_least = {group.at_least} of constraints.group {group.name}"
                rules.append(Rule(Kind.AT_LEAST, said, group.at_least, place))
            if group.at_most is not None:
                said = f"at_most = {group.at_most} of constraints.group {group.name}"
                rules.append(Rule(Kind.AT_MOST, said, group.at_most, place))
        return rules


def refuse_conflicts(asked: Asked, supply: Supply) -> None:
    """Refuse what no batch could keep; nothing is done where nothing binds.

    Args:
        asked: What the batch has to be.
        supply: What is left to choose from, references not included.

    Raises:
        ConflictingConstraintsError: The sentence names the smallest part that cannot hold
            together, and for each rule of it how far it would have to give way alone.
    """
    if not asked.binds:
        return
    program = BatchProgram(asked.limits, supply.with_fixed(asked.references, asked.limits))
    rules = asked.rules()
    if program.is_possible(rules):
        return
    part = smallest_conflict(program, rules)
    raise ConflictingConstraintsError(_sentence(asked, program, rules, part))


def can_be_completed(limits: Limits, fixed: Combinations, supply: Supply, missing: int) -> bool:
    """Whether `missing` more choices may keep the limits of a batch of which a part is fixed.

    Args:
        limits: Those of the whole batch.
        fixed: The part, references included.
        supply: What the space offers, the part that is fixed included.
        missing: Choices still to be made.
    """
    if broken_by(limits, fixed, whole=not missing) is not None:
        return False
    if not missing or not binds(limits):
        return True
    rest, supply = remaining(limits, fixed), supply.without(fixed, limits)
    if rest.max_uses:
        room = np.minimum(supply.holding, rest.max_uses - rest.uses)
        supply = replace(supply, holding=room)
    nothing = fixed[:0]
    asked = Asked(
        missing, "", 0, 0.0, replace(rest, max_uses=0), nothing, nothing, 0, 1, 1, "batch.size"
    )
    return BatchProgram(rest, supply).is_possible(asked.rules())


def smallest_conflict(program: BatchProgram, rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """The fewest of some impossible rules that are impossible by themselves.

    Without any one of those returned the others could hold. Where many groups have rules, so
    that not every smaller part can be tried, it is only irreducible in this sense.
    """
    # All rules of a kind at once, where that goes: there may be a hundred groups.
    of_kinds = [{each for each in rules if each.kind is kind} for kind in _BY_SUBTLETY]
    kept = list(rules)
    for dropped in [*of_kinds, *({rule} for rule in rules)]:
        fewer = [each for each in kept if each not in dropped]
        if len(fewer) < len(kept) and not program.is_possible(fewer):
            kept = fewer
    tried = 0
    for size in range(len(kept)):
        for part in combinations(reversed(rules), size):
            tried += 1
            if tried > _TRIED:
                return _plainest_first(kept)
            if not program.is_possible(part):
                return _plainest_first(part)
    return _plainest_first(kept)


def _plainest_first(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(sorted(rules, key=lambda rule: -_BY_SUBTLETY.index(rule.kind)))


def _sentence(
    asked: Asked, program: BatchProgram, rules: Sequence[Rule], part: Sequence[Rule]
) -> str:
    mends = [_mend(asked, program, rule, _others(program, rule, rules, part)) for rule in part]
    advice = ", or ".join(each for each in mends if each)
    if len(part) == 1:
        return f"{part[0].said} cannot hold with what there is to choose from; {advice}."
    said = ", ".join(rule.said for rule in part[:-1]) + f" and {part[-1].said}"
    return f"These cannot hold together: {said}; {advice}."


def _others(
    program: BatchProgram, rule: Rule, rules: Sequence[Rule], part: Sequence[Rule]
) -> list[Rule]:
    """What a rule has to give way to: all others, or its part where there is another conflict."""
    every = [each for each in rules if each is not rule]
    possible = program.is_possible(every)
    return every if possible else [each for each in part if each is not rule]


def _mend(asked: Asked, program: BatchProgram, rule: Rule, others: Sequence[Rule]) -> str:
    """How far a rule has to give way so that the others could hold; empty where no size does."""
    if rule.kind is Kind.SIZE:
        return _mended_size(asked, program, others)
    if rule.kind is Kind.MONEY:
        cost = program.least(others, Wanted(money=1))
        cents = f" to {math.ceil(100 * cost - _EPSILON) / 100:.15g}" if _known(cost) else ""
        return f"raise constraints.money{cents}"
    if rule.kind is Kind.PLATES:
        choices = _up(program.least(others, Wanted(choices=1)))
        wells = None if choices is None else choices * asked.replicates
        return "raise constraints.max_plates" + _to(wells and -(-wells // asked.plate_wells))
    words, wanted = _WAYS[rule.kind]
    if wanted is None:
        return words
    number = _up(program.least(others, replace(wanted, group=rule.group)))
    name = asked.limits.groups[rule.group].name if rule.group >= 0 else ""
    return words.format(name) + _to(number if number is None else abs(number))


def _mended_size(asked: Asked, program: BatchProgram, others: Sequence[Rule]) -> str:
    least = _up(program.least(others, Wanted(choices=1)))
    if least is not None and least > asked.size:
        return f"{asked.size_mend} {least} or more"
    most = _up(program.least(others, Wanted(choices=-1)))
    if not most:
        return ""
    return f"{asked.size_mend} {-most} or less"


def _known(number: float | None) -> TypeGuard[float]:
    return number is not None and math.isfinite(number)


def _up(number: float | None) -> int | None:
    """The next whole number, where the solver's rounding is forgiven."""
    return math.ceil(number - _EPSILON) if _known(number) else None


def _to(number: int | None) -> str:
    return "" if number is None else f" to {number}"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
