import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.domain.errors import InvalidError
from loop.domain.goal import Direction, Goal, Readout, has_one_best, smaller_is_better


@given(st.floats(-10, 10), st.floats(-5, -0.1), st.floats(0.1, 5))
@settings(max_examples=50, deadline=None)
def test_a_value_is_a_hit_at_a_threshold_and_beyond_it(value, low, high):
    readout = Readout("gi", low=low, high=high)
    assert readout.is_hit(value) == (not low < value < high)
    assert readout.is_hit(low)
    assert readout.is_hit(high)


def test_without_threshold_nothing_is_a_hit():
    readout = Readout("gi")
    assert not readout.has_threshold
    assert not readout.is_hit(1e300)


def test_one_side_leaves_the_other_open():
    assert not Readout("gi", direction=Direction.UP, high=2.0).is_hit(-99.0)
    assert not Readout("gi", direction=Direction.DOWN, low=-2.0).is_hit(99.0)


def test_a_nan_is_never_a_hit():
    assert not Readout("gi", low=-1.0, high=1.0).is_hit(math.nan)


@pytest.mark.parametrize(("low", "high"), [(1.0, 1.0), (2.0, 1.0), (math.nan, 1.0), (0, math.nan)])
def test_thresholds_that_leave_nothing_between_them_are_refused(low, high):
    with pytest.raises(InvalidError, match="lower one must be smaller"):
        Readout("gi", low=low, high=high)


@pytest.mark.parametrize("direction", [Direction.UP, Direction.DOWN])
def test_a_threshold_against_the_direction_is_refused(direction):
    with pytest.raises(InvalidError, match="on the other side"):
        Readout("gi", direction=direction, low=-1.0, high=1.0)


@pytest.mark.parametrize("direction", list(Direction))
def test_the_goal_decides_which_value_is_best_and_the_direction_where_it_is_silent(direction):
    readout = Readout("gi", direction=direction)
    assert smaller_is_better(Goal.MINIMIZE, readout)
    assert not smaller_is_better(Goal.MAXIMIZE, readout)
    for goal in (Goal.FIND_HITS, Goal.LEARN_MAP):
        assert smaller_is_better(goal, readout) == (direction is Direction.DOWN)


@pytest.mark.parametrize(
    ("target", "weight", "told"),
    [
        (float("inf"), 1.0, "has target inf; give a finite number"),
        (float("nan"), 1.0, "has target nan"),
        (1.0, 0.0, "has weight 0; give a number above 0"),
        (1.0, float("inf"), "has weight inf"),
    ],
)
def test_a_state_that_cannot_be_reached_is_refused(target, weight, told):
    with pytest.raises(InvalidError, match=told):
        Readout("gi", target=target, weight=weight)


def test_a_front_and_a_state_have_no_single_best_value():
    without = {goal for goal in Goal if not has_one_best(goal)}
    assert without == {Goal.PARETO, Goal.REACH_STATE}
