"""What a batch must keep to, as a person asks for it in a campaign file."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GroupRule:
    """How many choices of a batch may or must hold a perturbagen of a group.

    A group are the perturbagens that have `value` in a `column` of the library's table; where
    `value` is None, every value of the column is a group under the same rule. A choice counts
    once, however many members it holds. `at_most` None: no limit.
    """

    column: str
    value: str | None = None
    at_least: int = 0
    at_most: int | None = None


@dataclass(frozen=True, slots=True)
class Constraints:
    """What every batch keeps to beside its size; the default keeps to nothing.

    What shapes the candidate space itself (forbidden sets, exclusive columns, dose ceilings) is
    the library's.

    Attributes:
        must_include: Canonical keys that are in the next batch until they have been measured.
        well_cost: What one well costs besides its perturbagens.
        money: What a batch may cost, controls not counted; None: no limit.
        max_plates: On how many plates a batch must fit; 0: no limit.
        groups: Least and most choices of groups of perturbagens.
        diversity: How strongly likeness to earlier choices counts, from 0 (not) to 1.
    """

    must_include: tuple[str, ...] = ()
    well_cost: float = 0.0
    money: float | None = None
    max_plates: int = 0
    groups: tuple[GroupRule, ...] = ()
    diversity: float = 0.0
