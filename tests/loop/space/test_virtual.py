import tracemalloc
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.domain.errors import InvalidError, SpaceTooLargeError
from loop.ports.arrays import Combinations
from loop.space import LARGEST, VirtualSpace
from tests.loop.space.listing import (
    arrays_of,
    everything,
    is_permitted,
    listed,
    pairs,
    rows_of,
    small_spaces,
)


def test_pairs_of_three_stand_in_lexicographic_order():
    space = pairs(3)

    assert len(space) == 3
    assert everything(space).components.tolist() == [[0, 1], [0, 2], [1, 2]]


def test_context_is_slowest_then_order_then_first_perturbagen_then_its_level():
    space = VirtualSpace([2, 1], 2, (2, 0, 1), slots=3)

    rows = rows_of(everything(space))

    assert rows[:6] == [
        (0, ()),
        (0, ((0, 0),)),
        (0, ((0, 1),)),
        (0, ((1, 0),)),
        (0, ((0, 0), (1, 0))),
        (0, ((0, 1), (1, 0))),
    ]
    assert [(context + 1, parts) for context, parts in rows[:6]] == rows[6:]


@settings(max_examples=60, deadline=None)
@given(small_spaces())
def test_unranking_all_addresses_lists_the_space_once(case):
    levels, contexts, orders, forbidden, slots = case
    space = VirtualSpace(levels, contexts, orders, forbidden, slots)

    rows = rows_of(everything(space))

    assert len(rows) == len(set(rows)) == len(space)
    assert set(rows) == listed(levels, contexts, orders)


@settings(max_examples=60, deadline=None)
@given(small_spaces())
def test_unranked_arrays_keep_the_promises_of_combinations(case):
    levels, contexts, orders, forbidden, slots = case
    space = VirtualSpace(levels, contexts, orders, forbidden, slots)

    found = everything(space)

    assert found.components.shape == found.levels.shape == (len(space), slots)
    assert found.components.dtype == found.levels.dtype == found.contexts.dtype == np.int64
    assert np.array_equal(found.components == -1, found.levels == -1)
    ascending = np.diff(np.where(found.components == -1, 10**6, found.components), axis=1) > 0
    assert np.all(ascending | (found.components[:, 1:] == -1))


@settings(max_examples=60, deadline=None)
@given(small_spaces(), st.randoms(use_true_random=False), st.integers(0, 2))
def test_rank_undoes_unrank_whatever_the_order_and_number_of_slots(case, shuffler, extra):
    levels, contexts, orders, forbidden, slots = case
    space = VirtualSpace(levels, contexts, orders, forbidden, slots)
    found = everything(space)
    columns = list(range(slots)) + [slots + i for i in range(extra)]
    shuffler.shuffle(columns)
    padding = np.full((len(space), extra), -1)
    components = np.concatenate([found.components, padding], axis=1)[:, columns]
    doses = np.concatenate([found.levels, padding], axis=1)[:, columns]

    addresses = space.rank(Combinations(components, doses, found.contexts))

    assert addresses.tolist() == list(range(len(space)))


@settings(max_examples=60, deadline=None)
@given(small_spaces(most_order=3), st.data())
def test_rank_knows_exactly_the_members(case, data):
    levels, contexts, orders, forbidden, slots = case
    space = VirtualSpace(levels, contexts, orders, forbidden, slots)
    part = st.tuples(st.integers(0, len(levels)), st.integers(-1, 3))
    row = st.tuples(st.integers(-1, contexts), st.lists(part, max_size=3))
    asked = [(c, tuple(sorted(parts))) for c, parts in data.draw(st.lists(row, min_size=1))]

    addresses = space.rank(arrays_of(asked, 3))

    members = listed(levels, contexts, orders)
    assert (addresses >= 0).tolist() == [each in members for each in asked]


@settings(max_examples=80, deadline=None)
@given(small_spaces())
def test_permitted_and_on_offer_agree_with_the_list(case):
    levels, contexts, orders, forbidden, slots = case
    space = VirtualSpace(levels, contexts, orders, forbidden, slots)
    found = everything(space)

    permitted = space.permitted(found)

    assert permitted.tolist() == [is_permitted(row, forbidden) for row in rows_of(found)]
    assert space.on_offer() == permitted.sum()


@given(st.integers(1, 7), st.integers(1, 40))
def test_shards_cover_every_address_once(size, perturbagens):
    space = VirtualSpace([1] * perturbagens, 1, (1,))

    parts = list(space.shards(size))

    assert [address for part in parts for address in part] == list(range(perturbagens))
    assert max(len(part) for part in parts) <= size


def test_permitted_does_not_mind_the_order_of_slots():
    space = pairs(5, forbidden=[(3, 1)])
    asked = Combinations(
        np.array([[3, 1], [1, 3], [1, 2]]), np.zeros((3, 2), int), np.zeros(3, int)
    )

    assert space.permitted(asked).tolist() == [False, False, True]


def test_a_perturbation_with_a_perturbagen_twice_is_no_member():
    space = pairs(5)
    asked = Combinations(np.array([[2, 2]]), np.array([[0, 0]]), np.array([0]))

    assert space.rank(asked).tolist() == [-1]


def test_a_full_set_of_many_perturbagens_is_addressable_though_its_subsets_are_not():
    space = VirtualSpace([1] * 200, 1, (1, 199, 200))

    found = everything(space)

    assert len(space) == 401
    assert space.rank(found).tolist() == list(range(401))
    assert found.components[-1].tolist() == list(range(200))


def test_no_addresses_give_no_perturbations():
    space = pairs(4)

    found = space.unrank(np.array([], dtype=np.int64))

    assert found.components.shape == (0, 2)
    assert space.rank(found).shape == (0,)
    assert space.permitted(found).shape == (0,)


@pytest.mark.parametrize("perturbagens", [20_000])
@pytest.mark.parametrize("order", [2, 3])
def test_a_million_addresses_of_genome_scale_round_trip_in_memory_like_the_answer(
    perturbagens, order
):
    space = VirtualSpace([1] * perturbagens, 1, (order,))
    addresses = np.random.default_rng(0).integers(0, len(space), 1_000_000)
    answer = len(addresses) * (2 * order + 1) * 8

    tracemalloc.start()
    found = space.unrank(addresses)
    _, peak_unrank = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    back = space.rank(found)
    _, peak_rank = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(space) == comb(perturbagens, order)
    assert np.array_equal(back, addresses)
    assert max(peak_unrank, peak_rank) < 4 * answer


def test_the_ends_of_a_space_of_10_to_the_12_are_its_first_and_last_triple():
    space = VirtualSpace([1] * 20_000, 1, (3,))

    ends = space.unrank(np.array([0, len(space) - 1]))

    assert ends.components.tolist() == [[0, 1, 2], [19_997, 19_998, 19_999]]


def test_twenty_thousand_forbidden_pairs_are_counted_and_recognised_among_triples():
    rng = np.random.default_rng(1)
    drawn = rng.integers(0, 20_000, size=(20_000, 2))
    forbidden = {tuple(sorted(each)) for each in drawn.tolist() if each[0] != each[1]}
    space = VirtualSpace([1] * 20_000, 1, (3,), forbidden)
    found = space.unrank(rng.integers(0, len(space), 300_000))

    share = space.permitted(found).mean()

    assert space.on_offer() / len(space) == pytest.approx(
        1 - 3 * 20_000 / comb(20_000, 2), abs=1e-5
    )
    assert share == pytest.approx(space.on_offer() / len(space), abs=5e-4)


def test_addresses_order_as_their_perturbations_do():
    space = VirtualSpace([3] * 50, 1, (3,))
    addresses = np.sort(np.random.default_rng(2).integers(0, len(space), 2_000))

    found = space.unrank(addresses)

    keys = np.stack([found.components, found.levels], axis=2).reshape(len(addresses), -1)
    assert sorted(map(tuple, keys.tolist())) == list(map(tuple, keys.tolist()))


def test_a_space_of_exactly_the_largest_size_is_addressable():
    space = VirtualSpace([2**31, 2**31], 1, (2,))

    ends = space.unrank(np.array([0, LARGEST - 1]))

    assert len(space) == LARGEST
    assert ends.levels.tolist() == [[0, 0], [2**31 - 1, 2**31 - 1]]
    assert space.rank(ends).tolist() == [0, LARGEST - 1]


@pytest.mark.parametrize(
    ("levels", "contexts", "orders"),
    [([1] * 20_000, 1, (5,)), ([2**31, 2**31], 2, (2,)), ([2**31, 2**31], 1, (1, 2))],
)
def test_a_space_that_63_bits_cannot_address_is_refused(levels, contexts, orders):
    with pytest.raises(SpaceTooLargeError, match=r"more than 2\^62"):
        VirtualSpace(levels, contexts, orders)


@pytest.mark.parametrize("address", [-1, 3])
def test_an_address_outside_the_space_is_refused(address):
    with pytest.raises(InvalidError, match=f"Address {address} is outside a space of 3"):
        pairs(3).unrank(np.array([0, address]))


@pytest.mark.parametrize(
    ("settings_", "sentence"),
    [
        ({"levels": [], "contexts": 1, "orders": (0,)}, "at least one perturbagen"),
        ({"levels": [1, 0], "contexts": 1, "orders": (1,)}, "at least one dose level"),
        ({"levels": [1], "contexts": 0, "orders": (1,)}, "at least one context"),
        ({"levels": [1], "contexts": 1, "orders": (2,)}, "do not fit 1 perturbagens"),
        ({"levels": [1], "contexts": 1, "orders": ()}, "do not fit"),
        ({"levels": [1, 1], "contexts": 1, "orders": (2,), "slots": 1}, "needs 2 slots"),
        (
            {"levels": [1], "contexts": 1, "orders": (1,), "forbidden": [()]},
            "at least one position",
        ),
        ({"levels": [1], "contexts": 1, "orders": (1,), "forbidden": [(1,)]}, "from 0 to 0"),
    ],
)
def test_a_space_that_cannot_be_is_refused(settings_, sentence):
    with pytest.raises(InvalidError, match=sentence):
        VirtualSpace(**settings_)


def test_shards_of_no_addresses_each_are_refused():
    with pytest.raises(InvalidError, match="covers nothing"):
        list(pairs(3).shards(0))
