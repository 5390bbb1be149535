from itertools import combinations
from math import comb, prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.domain.errors import SpaceTooLargeError
from loop.space.counting import permitted_counts
from loop.space.forbidden import minimal_sets


def brute(weights, forbidden, highest):
    return [
        sum(
            prod(weights[one] for one in chosen)
            for chosen in combinations(range(len(weights)), order)
            if not any(set(each) <= set(chosen) for each in forbidden)
        )
        for order in range(highest + 1)
    ]


@st.composite
def constrained(draw):
    weights = draw(st.lists(st.integers(1, 4), min_size=1, max_size=9))
    members = st.lists(st.integers(0, len(weights) - 1), min_size=1, max_size=4, unique=True)
    forbidden = draw(st.lists(members, max_size=12))
    return weights, minimal_sets(forbidden, len(weights)), draw(st.integers(0, 6))


@settings(max_examples=150, deadline=None)
@given(constrained())
def test_counts_agree_with_listing(case):
    weights, forbidden, highest = case

    assert permitted_counts(weights, forbidden, highest) == brute(weights, forbidden, highest)


def test_a_clique_of_forbidden_pairs_leaves_one_of_its_members_at_a_time():
    clique = list(combinations(range(40), 2))

    counts = permitted_counts([1] * 41, clique, 5)

    assert counts == [1, 41, 40, 0, 0, 0]


def test_a_long_chain_of_forbidden_pairs_is_counted_at_order_four():
    # Choosing 4 of 200 in a row, no two adjacent: C(197, 4).
    chain = [(i, i + 1) for i in range(199)]

    assert permitted_counts([1] * 200, chain, 4)[4] == comb(197, 4)


def test_constraints_that_would_take_minutes_to_count_are_refused():
    entangled = [(i, (i * j + 1) % 3_000) for i in range(3_000) for j in (3, 7, 11, 13, 17)]
    forbidden = minimal_sets([each for each in entangled if each[0] != each[1]], 3_000)

    with pytest.raises(SpaceTooLargeError, match="too entangled"):
        permitted_counts([1] * 3_000, forbidden, 5, work=100_000)


def test_a_forbidden_set_that_holds_another_adds_nothing():
    assert minimal_sets([(2, 1, 0), (1, 0), (3,), (3, 4), (1, 0)], 5) == ((0, 1), (3,))
