"""What a space still offers, counted or bounded."""

from dataclasses import replace

import numpy as np

from loop import supply as module
from loop.ports.engine import Group, Limits
from loop.space import VirtualSpace
from loop.supply import supply_of

LIMITS = Limits(
    uses=np.zeros(5, dtype=np.int64),
    costs=np.array([1.0, 2.0, 3.0, 4.0, 5.0]),
    well_cost=0.5,
    money=9.0,
    groups=(Group("first", np.arange(5) < 1),),
)
SPACE = VirtualSpace([1, 2, 1, 1, 1], 1, (1, 2), [(4,), (0, 1)])


def test_a_space_is_counted_out_without_what_is_taken_or_forbidden():
    taken = np.array([0])
    found = supply_of(SPACE, (1, 2), taken, LIMITS)
    every = np.arange(1, len(SPACE))
    left = SPACE.unrank(every)
    left = left[SPACE.permitted(left)]
    assert (found.least_order, found.most_order, found.left) == (1, 2, len(left))
    for at in range(5):
        assert found.holding[at] == (left.components == at).any(axis=1).sum()
    assert found.holding[4] == 0
    assert found.in_groups.tolist() == [found.holding[0]]
    prices = [0.5 + sum(LIMITS.costs[i] for i in row if i >= 0) for row in left.components]
    np.testing.assert_allclose(found.prices, np.sort(prices))


def test_of_a_large_space_there_are_bounds():
    large = VirtualSpace(np.ones(2_000, dtype=np.int64), 1, (2,), [(7,)])
    limits = Limits(uses=np.zeros(2_000, dtype=np.int64), groups=())
    found = supply_of(large, (2,), np.zeros(0, dtype=np.int64), limits)
    assert len(large) > module._COUNTED
    assert found.left == 1_999 * 1_998 // 2
    assert found.holding[7] == 0
    assert (np.delete(found.holding, 7) == found.left).all()
    assert not len(found.prices)


def test_what_is_added_and_taken_away_again_leaves_the_same():
    found = supply_of(SPACE, (1, 2), np.zeros(0, dtype=np.int64), LIMITS)
    some = SPACE.unrank(np.array([1, 2, 5]))
    more = found.with_fixed(some, LIMITS)
    assert more.left == found.left + 3
    assert len(more.prices) == more.left
    again = more.without(some, LIMITS)
    for name in ("least_order", "most_order", "left"):
        assert getattr(again, name) == getattr(found, name)
    for name in ("holding", "in_groups", "prices"):
        np.testing.assert_allclose(getattr(again, name), getattr(found, name))


def test_a_fixed_control_lowers_the_least_order():
    found = supply_of(SPACE, (1, 2), np.zeros(0, dtype=np.int64), LIMITS)
    control = replace(SPACE.unrank(np.array([0])))
    control.components[:], control.levels[:] = -1, -1
    assert found.with_fixed(control, LIMITS).least_order == 0
