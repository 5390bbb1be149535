"""What no batch could keep is refused; what some batch could keep never is."""

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.batch_program import BatchProgram
from loop.conflicts import Asked, can_be_completed, refuse_conflicts, smallest_conflict
from loop.constraints import broken_by
from loop.domain.errors import ConflictingConstraintsError
from loop.ports.engine import Group, Limits
from loop.space import VirtualSpace
from loop.supply import supply_of

NONE = np.zeros(0, dtype=np.int64)


def limits(perturbagens, **told):
    uses = np.zeros(perturbagens, dtype=np.int64)
    return Limits(**{"uses": uses, **told})


def group(name, members, perturbagens, at_least=0, at_most=None):
    return Group(name, np.isin(np.arange(perturbagens), members), at_least, at_most)


def asked(size, limits, space, **told):
    nothing = space.unrank(NONE)
    usual = {
        "size_said": "batch.size",
        "audit": 0,
        "audit_share": 0.06,
        "references": nothing,
        "required": nothing,
        "max_plates": 0,
        "plate_wells": 80,
        "replicates": 1,
        "size_mend": "propose with --size",
    }
    return Asked(size=size, limits=limits, **{**usual, **told})


def supply(space, orders, limits, perturbagens, taken=NONE):
    assert len(limits.uses) == perturbagens
    return supply_of(space, orders, taken, limits)


def pairs(perturbagens, forbidden=()):
    return VirtualSpace(np.ones(perturbagens, dtype=np.int64), 1, (2,), forbidden, slots=2)


def refused(wanted, space, perturbagens, orders=(2,)):
    with pytest.raises(ConflictingConstraintsError) as error:
        refuse_conflicts(wanted, supply(space, orders, wanted.limits, perturbagens))
    sentence = str(error.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def test_a_batch_that_costs_too_much_says_the_least_cost_and_the_largest_batch():
    space = pairs(100)
    costly = limits(100, costs=np.ones(100), money=100.0)
    assert refused(asked(128, costly, space), space, 100) == (
        "These cannot hold together: batch.size = 128 and constraints.money = 100; "
        "propose with --size 50 or less, or raise constraints.money to 256."
    )


def test_the_cheapest_perturbagen_cannot_act_with_itself():
    space = pairs(3)
    costly = limits(3, costs=np.array([1.0, 10.0, 100.0]), money=20.0, well_cost=0.5)
    assert "raise constraints.money to 113" in refused(asked(2, costly, space), space, 3)
    refuse_conflicts(asked(1, costly, space), supply(space, (2,), costly, 3))


def test_a_size_that_does_not_help_is_not_advised():
    space = pairs(100)
    sentence = refused(asked(8, limits(100, costs=np.ones(100), money=1.0), space), space, 100)
    assert sentence.endswith("constraints.money = 1; raise constraints.money to 16.")


def test_uses_bind_together_with_the_size():
    space = pairs(10)
    sentence = refused(asked(12, limits(10, max_uses=2), space), space, 10)
    assert sentence == (
        "These cannot hold together: batch.size = 12 and batch.max_uses_per_perturbagen = 2; "
        "propose with --size 10 or less, or raise batch.max_uses_per_perturbagen to 3."
    )


def test_a_group_that_is_too_small_conflicts_by_itself():
    space = pairs(6)
    small = limits(6, groups=(group("pathway = 'DDR'", [0], 6, at_least=6),))
    assert refused(asked(12, small, space), space, 6) == (
        "at_least = 6 of constraints.group pathway = 'DDR' cannot hold with what there is to "
        "choose from; lower at_least of pathway = 'DDR' to 5."
    )


def test_two_groups_without_a_common_member_need_a_larger_batch():
    space = VirtualSpace(np.ones(20, dtype=np.int64), 1, (1,), slots=1)
    both = limits(
        20,
        groups=(
            group("a", range(10), 20, at_least=4),
            group("b", range(10, 20), 20, at_least=5),
        ),
    )
    sentence = refused(asked(8, both, space), space, 20, (1,))
    assert sentence.startswith("These cannot hold together: batch.size = 8, at_least = 4 of ")
    assert "propose with --size 9 or more" in sentence
    assert "lower at_least of b to 4" in sentence


def test_must_haves_count_against_the_most_of_a_group():
    space = pairs(6)
    few = limits(6, groups=(group("a", [0], 6, at_most=1),))
    required = space.unrank(np.array([0, 1]))
    sentence = refused(asked(6, few, space, required=required), space, 6)
    assert "constraints.must_include with 2 still to be measured and at_most = 1" in sentence
    assert "raise at_most of a to 2" in sentence


def test_audit_wells_references_and_must_haves_must_fit_the_batch():
    space = pairs(6)
    sentence = refused(
        asked(
            4,
            limits(6),
            space,
            audit=2,
            references=space.unrank(np.array([0])),
            required=space.unrank(np.array([1, 2])),
        ),
        space,
        6,
    )
    for part in ("batch.size = 4", "2 audit wells", "1 design", "2 still to be measured"):
        assert part in sentence


def test_a_batch_must_fit_its_plates_with_all_replicates():
    space = pairs(30)
    wanted = asked(100, limits(30), space, max_plates=1, plate_wells=88, replicates=2)
    assert refused(wanted, space, 30) == (
        "These cannot hold together: batch.size = 100 and constraints.max_plates = 1 (44 choices "
        "fit); propose with --size 44 or less, or raise constraints.max_plates to 3."
    )


def test_nothing_is_looked_at_where_nothing_binds():
    space = pairs(6)
    refuse_conflicts(asked(10**6, limits(6), space), supply(space, (2,), limits(6), 6))


TINY = 5


@st.composite
def tiny_questions(draw):
    orders = draw(st.sampled_from([(1,), (2,), (1, 2), (0, 1), (2, 3)]))
    forbidden = draw(
        st.lists(st.sets(st.integers(0, TINY - 1), min_size=1, max_size=2), max_size=2)
    )
    space = VirtualSpace(np.ones(TINY, dtype=np.int64), 1, orders, forbidden)
    every = np.arange(len(space))
    on_offer = every[space.permitted(space.unrank(every))]
    members = st.sets(st.integers(0, TINY - 1), max_size=TINY)
    groups = tuple(
        group(
            name,
            sorted(draw(members)),
            TINY,
            *draw(
                st.sampled_from([(1, None), (2, None), (3, None), (0, 0), (0, 1), (1, 2), (0, 2)])
            ),
        )
        for name in "ab"[: draw(st.integers(0, 2))]
    )
    money = draw(st.sampled_from([math.inf, 2.0, 5.0, 9.0]))
    bound = limits(
        TINY,
        max_uses=draw(st.integers(0, 3)),
        costs=np.array(
            draw(st.lists(st.sampled_from([0.0, 1.0, 3.0]), min_size=TINY, max_size=TINY))
        ),
        well_cost=draw(st.sampled_from([0.0, 0.5])),
        money=money,
        groups=groups,
    )
    required = (
        draw(st.sets(st.sampled_from(on_offer.tolist()), max_size=2)) if len(on_offer) else ()
    )
    wanted = asked(
        draw(st.integers(1, 4)),
        bound,
        space,
        audit=draw(st.integers(0, 2)),
        required=space.unrank(np.array(sorted(required), dtype=np.int64)),
        max_plates=draw(st.integers(0, 2)),
        plate_wells=2,
    )
    return space, orders, on_offer, np.array(sorted(required), dtype=np.int64), wanted


def some_batch_keeps(space, on_offer, required, wanted):
    """By trying every batch."""
    held = wanted.max_plates * wanted.plate_wells
    if len(required) + wanted.audit > wanted.size or (held and wanted.size > held):
        return False
    free = np.setdiff1d(on_offer, required).tolist()
    return any(
        broken_by(wanted.limits, space.unrank(np.array([*required, *rest], dtype=np.int64))) is None
        for rest in combinations(free, wanted.size - len(required))
    )


@given(tiny_questions())
@settings(max_examples=150, deadline=None)
def test_what_some_batch_keeps_is_never_refused_and_what_is_named_is_irreducible(question):
    space, orders, on_offer, required, wanted = question
    offered = supply(space, orders, wanted.limits, TINY)
    sentence = ""
    try:
        refuse_conflicts(wanted, offered)
    except ConflictingConstraintsError as error:
        sentence = str(error)
    if not sentence:
        return
    assert not some_batch_keeps(space, on_offer, required, wanted), sentence
    program = BatchProgram(wanted.limits, offered)
    part = smallest_conflict(program, wanted.rules())
    assert not program.is_possible(part)
    for rule in part:
        assert program.is_possible([each for each in part if each is not rule])
        assert rule.said in sentence


@given(tiny_questions())
@settings(max_examples=60, deadline=None)
def test_a_part_of_a_batch_that_keeps_everything_can_be_completed(question):
    space, orders, on_offer, _, wanted = question
    offered = supply(space, orders, wanted.limits, TINY)
    for chosen in combinations(on_offer.tolist(), wanted.size):
        if broken_by(wanted.limits, space.unrank(np.array(chosen))) is None:
            for fixed in range(wanted.size + 1):
                part = space.unrank(np.array(chosen[:fixed], dtype=np.int64))
                assert can_be_completed(wanted.limits, part, offered, wanted.size - fixed)
            return


def test_a_part_that_breaks_a_limit_cannot_be_completed():
    space = pairs(6)
    offered = supply(space, (2,), limits(6), 6)
    both = space.unrank(np.array([0, 1]))
    assert not can_be_completed(limits(6, max_uses=1), both, offered, 0)
    assert not can_be_completed(limits(6, max_uses=2), both, offered, 5)
    assert can_be_completed(limits(6, max_uses=2), both, offered, 4)


def test_twenty_thousand_perturbagens_are_no_trouble():
    count = 20_000
    rng = np.random.default_rng(0)
    space = pairs(count)
    costs = rng.uniform(1, 9, count)
    wide = limits(
        count,
        max_uses=4,
        costs=costs,
        money=300.0,
        groups=tuple(
            group(f"g{number}", np.flatnonzero(rng.random(count) < 0.01), count, at_least=1)
            for number in range(8)
        ),
    )
    refuse_conflicts(asked(128, replace(wide, money=1e5), space), supply(space, (2,), wide, count))
    sentence = refused(asked(384, replace(wide, money=300.0), space), space, count)
    assert "batch.size = 384" in sentence
    assert "constraints.money = 300" in sentence
