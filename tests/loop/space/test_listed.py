import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.domain.errors import InvalidError
from loop.ports.arrays import Combinations
from loop.space import ListedSpace
from tests.loop.space.listing import arrays_of, everything, is_permitted, listed, rows_of


@st.composite
def lists(draw):
    """(levels, contexts, rows, forbidden): some rows of a small space in any order."""
    levels = draw(st.lists(st.integers(1, 2), min_size=2, max_size=4))
    contexts = draw(st.integers(1, 2))
    whole = sorted(listed(levels, contexts, range(min(3, len(levels)) + 1)))
    rows = draw(st.lists(st.sampled_from(whole), unique=True, max_size=30))
    members = st.lists(st.integers(0, len(levels) - 1), min_size=1, max_size=2, unique=True)
    return levels, contexts, rows, draw(st.lists(members, max_size=3))


@settings(max_examples=60, deadline=None)
@given(lists())
def test_addresses_are_the_rows_of_the_list(case):
    _, _, rows, forbidden = case
    space = ListedSpace(arrays_of(rows, 3), forbidden)

    assert len(space) == len(rows)
    assert space.slots == 3
    assert rows_of(everything(space)) == rows
    assert space.rank(everything(space)).tolist() == list(range(len(rows)))


@settings(max_examples=60, deadline=None)
@given(lists())
def test_rank_knows_exactly_what_was_listed(case):
    levels, contexts, rows, _ = case
    space = ListedSpace(arrays_of(rows, 3))
    whole = sorted(listed(levels, contexts, range(len(levels) + 1)))

    addresses = space.rank(arrays_of(whole, len(levels)))

    expected = [rows.index(each) if each in rows else -1 for each in whole]
    assert addresses.tolist() == expected


@settings(max_examples=60, deadline=None)
@given(lists())
def test_permitted_and_on_offer_agree_with_the_list(case):
    _, _, rows, forbidden = case
    space = ListedSpace(arrays_of(rows, 3), forbidden)

    permitted = space.permitted(everything(space)).tolist()

    assert permitted == [is_permitted(row, forbidden) for row in rows]
    assert space.on_offer() == sum(permitted)


@given(st.integers(1, 5), st.integers(1, 20))
def test_shards_cover_every_address_once(size, count):
    space = ListedSpace(arrays_of([(0, ((i, 0),)) for i in range(count)], 1))

    assert [address for part in space.shards(size) for address in part] == list(range(count))


def test_slots_of_the_list_and_of_questions_may_stand_in_any_order():
    space = ListedSpace(Combinations(np.array([[-1, 4, 2]]), np.array([[-1, 1, 0]]), np.array([0])))
    asked = Combinations(np.array([[4, 2], [4, 2]]), np.array([[1, 0], [0, 1]]), np.array([0, 0]))

    assert everything(space).components.tolist() == [[2, 4, -1]]
    assert everything(space).levels.tolist() == [[0, 1, -1]]
    assert space.rank(asked).tolist() == [0, -1]


def test_nonsense_is_no_member():
    space = ListedSpace(arrays_of([(0, ((0, 0),)), (0, ())], 1))
    nonsense = Combinations(
        np.array([[-2], [0], [0], [2**40]]),
        np.array([[0], [-1], [0], [0]]),
        np.array([0, 0, -1, 0]),
    )

    assert space.rank(nonsense).tolist() == [-1, -1, -1, -1]


def test_an_empty_list_is_a_space_of_nothing():
    space = ListedSpace(arrays_of([], 2))

    assert len(space) == space.on_offer() == 0
    assert space.rank(arrays_of([(0, ((0, 0),))], 2)).tolist() == [-1]


def test_a_perturbation_listed_twice_is_refused():
    rows = [(0, ((1, 0),)), (0, ((2, 0),)), (0, ((1, 0),))]

    with pytest.raises(InvalidError, match="Rows 1 and 3 of the list are the same"):
        ListedSpace(arrays_of(rows, 1))


def test_a_row_with_a_perturbagen_twice_is_refused():
    with pytest.raises(InvalidError, match="Row 1 of the list names a perturbagen twice"):
        ListedSpace(arrays_of([(0, ((1, 0), (1, 0)))], 2))


def test_a_row_with_a_negative_position_is_refused():
    with pytest.raises(InvalidError, match="Row 2 of the list holds a negative position"):
        ListedSpace(arrays_of([(0, ((1, 0),)), (-1, ((1, 0),))], 1))


def test_an_address_outside_the_list_is_refused():
    with pytest.raises(InvalidError, match="Address 1 is outside"):
        ListedSpace(arrays_of([(0, ((1, 0),))], 1)).unrank(np.array([1]))
