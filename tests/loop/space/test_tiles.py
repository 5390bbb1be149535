"""The tiles of a virtual space, against its addresses written out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.domain.errors import InvalidError
from loop.ports.arrays import Combinations
from loop.ports.engine import TiledSpace
from loop.space import ListedSpace, VirtualSpace
from tests.loop.space.listing import everything, pairs, rows_of, small_spaces


def continued(space, stripe):
    """The addresses of all continuations of a stripe, and the perturbations they should be."""
    addresses, rows = [], []
    items = rows_of(space.items)
    for at, (context, parts) in enumerate(rows_of(stripe.prefixes)):
        for item in range(int(stripe.starts[at]), len(items)):
            addresses.append(int(stripe.addresses[at]) + item - int(stripe.starts[at]))
            rows.append((context, parts + items[item][1]))
    return addresses, rows


def test_a_virtual_space_is_tiled_and_a_listed_one_is_not():
    space = pairs(4)

    assert isinstance(space, TiledSpace)
    assert not isinstance(ListedSpace(everything(space)), TiledSpace)


def test_behind_the_first_perturbagen_of_pairs_come_all_others_at_their_levels():
    space = VirtualSpace([2, 1, 3], 1, (2,))

    stripe = space.stripe(space.sections()[0], 0, 6)

    assert rows_of(space.items) == [
        (0, ((perturbagen, level),))
        for perturbagen, level in [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1), (2, 2)]
    ]
    assert stripe.starts.tolist() == [2, 2, 3, 6, 6, 6]
    assert stripe.addresses.tolist() == [0, 4, 8, 11, 11, 11]


@settings(max_examples=100, deadline=None)
@given(small_spaces())
def test_sections_continued_item_by_item_are_the_whole_space_without_controls(case):
    space = VirtualSpace(*case)
    parts = [
        continued(space, space.stripe(section, 0, section.prefixes)) for section in space.sections()
    ]

    addresses = [address for part in parts for address in part[0]]
    rows = [row for part in parts for row in part[1]]

    every = everything(space)
    orders = (every.components >= 0).sum(axis=1)
    assert addresses == np.flatnonzero(orders > 0).tolist()
    assert rows == rows_of(every[orders > 0])


@settings(max_examples=60, deadline=None)
@given(small_spaces(), st.data())
def test_a_stripe_is_a_part_of_the_stripe_of_all_prefixes(case, data):
    space = VirtualSpace(*case)
    for section in space.sections():
        start = data.draw(st.integers(0, section.prefixes))
        stop = data.draw(st.integers(start, section.prefixes))

        whole, part = space.stripe(section, 0, section.prefixes), space.stripe(section, start, stop)

        assert len(part.prefixes) == stop - start
        assert rows_of(part.prefixes) == rows_of(whole.prefixes[start:stop])
        assert np.array_equal(part.starts, whole.starts[start:stop])
        assert np.array_equal(part.addresses, whole.addresses[start:stop])
        assert part.prefixes.slots == space.slots


def test_sections_of_one_context_stand_by_order_and_know_their_prefixes():
    space = VirtualSpace([2, 1, 1], 2, (0, 1, 2, 3))

    assert [(each.context, each.order, each.prefixes) for each in space.sections()] == [
        (0, 1, 1),
        (0, 2, 4),
        (0, 3, 5),
        (1, 1, 1),
        (1, 2, 4),
        (1, 3, 5),
    ]


def test_controls_alone_have_no_sections():
    assert VirtualSpace([1, 1], 3, (0,)).sections() == ()


def test_stripes_reach_the_end_of_a_space_of_ten_to_the_thirteen():
    space = VirtualSpace([1] * 40_000, 1, (3,))
    [section] = space.sections()

    stripe = space.stripe(section, section.prefixes - 3, section.prefixes)

    assert stripe.prefixes.components.tolist() == [
        [39_997, 39_998, -1],
        [39_997, 39_999, -1],
        [39_998, 39_999, -1],
    ]
    assert stripe.starts.tolist() == [39_999, 40_000, 40_000]
    assert stripe.addresses.tolist() == [len(space) - 1, len(space), len(space)]
    last = Combinations(np.array([[39_997, 39_998, 39_999]]), np.zeros((1, 3), int), np.zeros(1))
    assert space.rank(last).tolist() == [len(space) - 1]


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (2, 1), (0, 5)])
def test_prefixes_that_a_section_does_not_have_are_refused(start, stop):
    space = pairs(4)

    with pytest.raises(InvalidError, match="outside a section of 4"):
        space.stripe(space.sections()[0], start, stop)
