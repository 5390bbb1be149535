import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.domain.errors import CampaignFileError, InvalidError
from loop.domain.goal import Direction, Goal
from loop.replay.question import Wanted, ask
from loop.screen import Columns, read_screen
from loop.tables import Table


def screen(values, hits=None):
    """Singles with these values, and perhaps a hit column."""
    marks = [""] * len(values) if hits is None else [str(int(hit)) for hit in hits]
    rows = [
        (f"g{at}", repr(float(v)), mark)
        for at, (v, mark) in enumerate(zip(values, marks, strict=True))
    ]
    columns = Columns(("g",), "y", hit=None if hits is None else "hit")
    return read_screen(Table("t", ("g", "y", "hit"), tuple(rows)), columns)


@given(
    st.lists(st.integers(-1000, 1000), min_size=3, max_size=40, unique=True),
    st.floats(-900, -1),
    st.floats(1, 900),
)
@settings(max_examples=60, deadline=None)
def test_thresholds_reproduce_a_hit_column_that_had_two(values, low, high):
    numbers = np.array(values, dtype=float)
    middle = np.median(numbers)
    hits = (numbers <= middle + low) | (numbers >= middle + high)
    if not hits.any():
        return
    told = ask(screen(numbers, hits), "y", Goal.FIND_HITS)
    assert [told.readout.is_hit(value) for value in numbers] == hits.tolist()
    np.testing.assert_array_equal(told.hits, hits)


def test_hits_on_one_side_make_a_direction():
    values = np.arange(10.0)
    up = ask(screen(values, values > 7), "y", Goal.FIND_HITS).readout
    assert (up.direction, up.low, up.high) == (Direction.UP, -math.inf, 8.0)
    down = ask(screen(values, values < 2), "y", Goal.FIND_HITS).readout
    assert (down.direction, down.low, down.high) == (Direction.DOWN, 1.0, math.inf)


def test_a_hit_column_that_no_threshold_explains_still_counts_as_it_stands():
    values, hits = np.arange(6.0), np.array([0, 0, 0, 1, 0, 0], dtype=bool)
    told = ask(screen(values, hits), "y", Goal.FIND_HITS)
    np.testing.assert_array_equal(told.hits, hits)
    assert told.readout.high == 5.0


def test_a_hit_column_without_hits_defines_nothing():
    with pytest.raises(CampaignFileError, match="marks no perturbation"):
        ask(screen(np.arange(4.0), np.zeros(4)), "y", Goal.FIND_HITS)


def test_thresholds_are_taken_as_given():
    told = ask(screen([-2.0, 0.0, 3.0]), "y", Goal.FIND_HITS, threshold=(-2.0, 2.0))
    assert told.hits.tolist() == [True, False, True]
    open_below = ask(screen([-2.0, 0.0, 3.0]), "y", Goal.FIND_HITS, (-math.inf, 2.0))
    assert open_below.hits.tolist() == [False, False, True]
    with pytest.raises(InvalidError, match="lower one must be smaller"):
        ask(screen([1.0, 2.0]), "y", Goal.FIND_HITS, (2.0, -2.0))


def test_the_top_share_is_that_of_the_goal():
    values = np.arange(20.0)
    assert ask(screen(values), "y", Goal.FIND_HITS, top=0.1).hits.nonzero()[0].tolist() == [18, 19]
    assert ask(screen(values), "y", Goal.MINIMIZE, top=0.1).hits.nonzero()[0].tolist() == [0, 1]
    assert ask(screen(values), "y", Goal.MAXIMIZE, top=0.001).hits.sum() == 1


@pytest.mark.parametrize("top", [0.0, 1.0, -0.1, 5.0, math.nan])
def test_the_top_is_a_share(top):
    with pytest.raises(CampaignFileError, match="must be a share between 0 and 1"):
        ask(screen([1.0, 2.0]), "y", Goal.FIND_HITS, top=top)


def test_hits_are_defined_once():
    with pytest.raises(CampaignFileError, match="more than once"):
        ask(screen([1.0, 2.0], [0, 1]), "y", Goal.FIND_HITS, top=0.5)
    with pytest.raises(CampaignFileError, match="more than once"):
        ask(screen([1.0, 2.0]), "y", Goal.FIND_HITS, (0.0, 1.5), 0.5)
    with pytest.raises(CampaignFileError, match="needs hits"):
        ask(screen([1.0, 2.0]), "y", Goal.FIND_HITS)


def test_without_hits_only_the_best_is_followed():
    told = ask(screen([1.0, 2.0]), "y", Goal.MAXIMIZE)
    assert told.hits is None
    assert not told.readout.has_threshold


def test_several_readouts_are_wanted_in_their_directions():
    wanted = Wanted(directions=(Direction.UP, Direction.DOWN))
    told = ask(screen(np.arange(4.0)), "y", Goal.PARETO, more=("z",), wanted=wanted)
    assert [(each.name, each.direction) for each in told.readouts] == [
        ("y", Direction.UP),
        ("z", Direction.DOWN),
    ]


def test_a_state_is_the_target_of_each_readout():
    wanted = Wanted(targets=(1.5, -2.0))
    told = ask(screen(np.arange(4.0)), "y", Goal.REACH_STATE, more=("z",), wanted=wanted)
    assert [each.target for each in told.readouts] == [1.5, -2.0]


@pytest.mark.parametrize(
    ("goal", "more", "wanted", "said"),
    [
        (Goal.REACH_STATE, (), Wanted(), "give --target"),
        (Goal.REACH_STATE, ("z",), Wanted(targets=(1.0,)), "--target is given for 1 readouts"),
        (Goal.PARETO, ("z",), Wanted(), "--direction up,down"),
        (Goal.PARETO, (), Wanted(directions=(Direction.UP,)), "two or more"),
        (
            Goal.MAXIMIZE,
            (),
            Wanted(directions=(Direction.UP, Direction.UP)),
            "--direction is given for 2 readouts but there are 1",
        ),
    ],
)
def test_what_a_goal_needs_of_its_readouts_is_asked_for(goal, more, wanted, said):
    with pytest.raises(CampaignFileError, match=said):
        ask(screen(np.arange(4.0)), "y", goal, more=more, wanted=wanted)


def test_a_readout_is_named_once_and_a_target_belongs_to_a_state():
    with pytest.raises(CampaignFileError, match="names 'y' twice"):
        ask(screen([1, 2]), "y", Goal.PARETO, more=("y",), wanted=Wanted((Direction.UP,) * 2))
    with pytest.raises(CampaignFileError, match="means nothing to goal 'maximize'"):
        ask(screen([1, 2]), "y", Goal.MAXIMIZE, wanted=Wanted(targets=(1.0,)))
