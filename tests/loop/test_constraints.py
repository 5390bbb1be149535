"""From constraints to limits, and what a batch that breaks one is told."""

import math

import numpy as np
import pytest

from loop.constraints import broken_by, costs_of, limits_of, remaining
from loop.domain.campaign import BatchRules
from loop.domain.constraints import Constraints, GroupRule
from loop.domain.errors import CampaignFileError
from loop.domain.perturbation import Perturbagen
from loop.ports.arrays import Combinations

LIBRARY = tuple(
    Perturbagen(name, kind, cost, attributes={"pathway": pathway})
    for name, kind, cost, pathway in (
        ("A", "gene", 1.0, "DDR"),
        ("B", "gene", 2.0, "DDR; cycle"),
        ("C", "drug", 4.0, "cycle"),
        ("D", "drug", 8.0, ""),
    )
)


def rules(replicates=1, max_uses=0, **constraints):
    return BatchRules(
        replicates=replicates, max_uses=max_uses, constraints=Constraints(**constraints)
    )


def batch(*sets):
    components = np.full((len(sets), 2), -1, dtype=np.int64)
    for row, each in enumerate(sets):
        components[row, : len(each)] = each
    return Combinations(components, np.where(components < 0, -1, 0), np.zeros(len(sets), np.int64))


def test_a_campaign_without_constraints_has_no_limits():
    limits = limits_of(rules(), LIBRARY)
    assert (limits.max_uses, limits.money, limits.groups) == (0, math.inf, ())
    assert limits.uses.tolist() == [0, 0, 0, 0]
    assert broken_by(limits, batch((0, 1), (0, 1))) is None


def test_costs_count_where_money_binds_and_replicates_are_paid_for():
    assert not len(limits_of(rules(), LIBRARY).costs)
    limits = limits_of(rules(replicates=3, money=100.0, well_cost=0.5), LIBRARY)
    assert limits.costs.tolist() == [3, 6, 12, 24]
    assert limits.well_cost == 1.5
    assert costs_of(limits, batch((0, 1), (3,))).tolist() == [10.5, 25.5]


def test_a_group_is_a_value_of_a_column_and_a_cell_may_hold_several():
    [group] = limits_of(rules(groups=(GroupRule("pathway", "cycle", 1, 2),)), LIBRARY).groups
    assert (group.name, group.at_least, group.at_most) == ("pathway = 'cycle'", 1, 2)
    assert group.members.tolist() == [False, True, True, False]


def test_without_a_value_every_value_of_the_column_is_a_group():
    groups = limits_of(rules(groups=(GroupRule("pathway", None, 1),)), LIBRARY).groups
    assert [group.name for group in groups] == ["pathway = 'DDR'", "pathway = 'cycle'"]
    kinds = limits_of(rules(groups=(GroupRule("kind", None, 1),)), LIBRARY).groups
    assert [group.members.tolist() for group in kinds] == [
        [True, True, False, False],
        [False, False, True, True],
    ]


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (GroupRule("pathwy", "DDR", 1), r"'pathwy', which .* \(it has 'kind', 'pathway'\).*mean"),
        (GroupRule("pathway", "DRR", 1), r"'DRR' stands nowhere .* \(which holds 'DDR', 'cycle'\)"),
    ],
)
def test_an_unknown_column_or_value_is_refused_with_the_nearest(rule, told):
    with pytest.raises(CampaignFileError, match=told):
        limits_of(rules(groups=(rule,)), LIBRARY)


@pytest.mark.parametrize(
    ("constraints", "sets", "told"),
    [
        ({"max_uses": 1}, [(0, 1), (0, 2)], "uses a perturbagen 2 times, of 1 allowed"),
        ({"money": 9.0}, [(0, 1), (0, 1), (2,)], "costs 10, of 9 there are"),
        (
            {"groups": (GroupRule("pathway", "DDR", 2),)},
            [(0, 1), (2, 3)],
            "holds 1 choices with pathway = 'DDR', of 2 at least",
        ),
        (
            {"groups": (GroupRule("pathway", "DDR", 0, 1),)},
            [(0,), (1, 2)],
            "holds 2 choices with pathway = 'DDR', of 1 at most",
        ),
    ],
)
def test_what_a_batch_breaks_is_told(constraints, sets, told):
    limits = limits_of(rules(**constraints), LIBRARY)
    assert broken_by(limits, batch(*sets)) == told
    assert broken_by(limits, batch(*sets[:1]), whole=False) is None


def test_the_last_cent_may_be_spent_though_sums_round():
    library = (Perturbagen("A", cost=0.1), Perturbagen("B", cost=0.2))
    assert broken_by(limits_of(rules(money=0.3), library), batch((0, 1))) is None


def test_what_is_fixed_already_is_taken_off_the_limits():
    limits = limits_of(
        rules(max_uses=3, money=20.0, well_cost=1.0, groups=(GroupRule("pathway", "DDR", 3, 4),)),
        LIBRARY,
    )
    left = remaining(limits, batch((0, 1), (1, 3)))
    assert left.uses.tolist() == [1, 2, 0, 1]
    assert left.money == 20.0 - (1 + 2 + 1) - (2 + 8 + 1)
    assert (left.groups[0].at_least, left.groups[0].at_most) == (1, 2)
    more = remaining(left, batch((0,), (0,), (0,)))
    assert (more.groups[0].at_least, more.groups[0].at_most) == (0, 0)


def test_two_sections_about_one_group_count_as_one_and_may_not_contradict_each_other():
    def groups(*asked):
        return limits_of(rules(groups=asked), LIBRARY).groups

    [group] = groups(GroupRule("pathway", "DDR", 1), GroupRule("pathway", "DDR", 2, 3))
    assert (group.at_least, group.at_most) == (2, 3)

    with pytest.raises(CampaignFileError, match="lower at_least to 3, or raise at_most to 5"):
        groups(GroupRule("pathway", "DDR", 5), GroupRule("pathway", "DDR", 2, 3))
