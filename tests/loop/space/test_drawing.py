import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from loop.domain.errors import NotEnoughCandidatesError, SpaceTooLargeError
from loop.space import ListedSpace, VirtualSpace, draw, is_taken
from tests.loop.space.listing import everything, pairs

NONE = np.zeros(0, dtype=np.int64)


@settings(max_examples=80, deadline=None)
@given(st.data(), st.integers(0, 2**32 - 1))
def test_a_draw_is_distinct_permitted_and_not_taken(data, seed):
    space = pairs(8, forbidden=[(0, 1), (3,)])
    taken = np.array(sorted(data.draw(st.sets(st.integers(0, 27)))), dtype=np.int64)
    offered = set(np.flatnonzero(space.permitted(everything(space)))) - set(taken.tolist())
    count = data.draw(st.integers(0, len(offered)))

    drawn = draw(space, count, taken, np.random.default_rng(seed))

    assert len(set(drawn.addresses.tolist())) == len(drawn.addresses) == count
    assert set(drawn.addresses.tolist()) <= offered
    assert drawn.inclusion_probability == (count / len(offered) if count else 0.0)


@pytest.mark.parametrize("count", [3, 16], ids=["by rejection", "by walking"])
def test_every_candidate_is_as_likely_as_any_other_at_every_place(count):
    space, taken, rng = (
        pairs(8, forbidden=[(0, 1), (3,)]),
        np.array([4, 9]),
        np.random.default_rng(5),
    )
    offered = np.setdiff1d(np.flatnonzero(space.permitted(everything(space))), taken)

    draws = np.stack([draw(space, count, taken, rng).addresses for _ in range(3_000)])

    for place in (0, count - 1):
        seen = np.bincount(draws[:, place], minlength=len(space))[offered]
        assert chisquare(seen).pvalue > 0.001
    together = np.bincount(draws.ravel(), minlength=len(space))[offered]
    assert together.sum() == draws.size
    assert np.all(np.abs(together / 3_000 - count / len(offered)) < 0.05)


def test_the_last_candidates_of_a_space_are_found():
    space = pairs(1_500)
    taken = np.setdiff1d(np.arange(len(space)), [17, 500_000, len(space) - 1])

    drawn = draw(space, 3, taken, np.random.default_rng(0))

    assert sorted(drawn.addresses.tolist()) == [17, 500_000, len(space) - 1]
    assert drawn.inclusion_probability == 1.0


def test_one_seed_gives_one_draw():
    space = VirtualSpace([1] * 20_000, 1, (3,))

    first, second = (draw(space, 50, NONE, np.random.default_rng(3)) for _ in range(2))

    assert first.addresses.tolist() == second.addresses.tolist()


def test_a_listed_space_is_drawn_from_alike():
    space = ListedSpace(everything(pairs(6)), forbidden=[(0,)])

    drawn = draw(space, 10, NONE, np.random.default_rng(0))

    assert sorted(drawn.addresses.tolist()) == list(range(5, 15))


def test_taken_addresses_that_are_forbidden_are_not_counted_twice():
    space = pairs(4, forbidden=[(0, 1)])

    drawn = draw(space, 1, np.array([0, 0, 1]), np.random.default_rng(0))

    assert drawn.inclusion_probability == 1 / 4


def test_more_than_is_left_is_refused_with_the_numbers():
    space = pairs(4, forbidden=[(0, 1)])

    with pytest.raises(
        NotEnoughCandidatesError, match="4 perturbations were to be drawn and 3 are"
    ):
        draw(space, 4, np.array([1, 2]), np.random.default_rng(0))


def test_a_needle_in_a_haystack_is_refused_rather_than_looked_for_forever():
    # Of 1.3e12 triples one is permitted.
    space = VirtualSpace([1] * 20_000, 1, (3,), forbidden=[(i,) for i in range(3, 20_000)])

    with pytest.raises(SpaceTooLargeError, match="Only 1 of 1333133340000"):
        draw(space, 1, NONE, np.random.default_rng(0))


def test_is_taken_looks_addresses_up_in_a_sorted_list():
    asked = np.array([0, 3, 5, 9])

    assert is_taken(np.array([3, 9]), asked).tolist() == [False, True, False, True]
    assert is_taken(NONE, asked).tolist() == [False] * 4
