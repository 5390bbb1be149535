"""Figures of each goal, by hand, from the table alone."""

import numpy as np
import pytest

from loop.domain.goal import Direction, Goal
from loop.replay.front import hypervolume
from loop.replay.marks import Marked, Marks
from loop.replay.question import Wanted, ask
from loop.screen import Columns, read_screen
from loop.tables import Table

COUNT = 150


@pytest.fixture(scope="module")
def table():
    """150 singles with two readouts: 0 to 149, and the same shuffled."""
    second = np.random.default_rng(3).permutation(COUNT)
    rows = tuple((f"g{at:03d}", str(at), str(other)) for at, other in enumerate(second.tolist()))
    return read_screen(
        Table("t", ("g", "y", "z"), rows), Columns(("g",), "y", more_readouts=("z",))
    )


def marks(table, goal, wanted=None, **given):
    return Marks(table, ask(table, "y", goal, more=("z",), wanted=wanted or Wanted(), **given))


def rows_with(table, values):
    return np.flatnonzero(np.isin(table.values, values))


def test_hits_are_counted_tail_by_tail(table):
    told = marks(table, Goal.FIND_HITS, threshold=(9, 120)).of(
        rows_with(table, [3, 9, 10, 80, 119, 120, 121, 149])
    )
    assert told == Marked(hits_low=2, hits_high=3)


@pytest.mark.parametrize(
    ("goal", "measured", "regret", "top"),
    [
        (Goal.MAXIMIZE, [10, 49, 50, 140], 9.0, 2),
        (Goal.MINIMIZE, [2, 99, 100, 140], 2.0, 2),
        (Goal.MAXIMIZE, list(range(COUNT)), 0.0, 100),
    ],
)
def test_regret_and_the_best_hundred_are_in_the_goal_s_direction(
    table, goal, measured, regret, top
):
    told = marks(table, goal).of(rows_with(table, measured))
    assert told == Marked(regret=regret, top100=top)


def test_a_map_is_judged_by_its_error_alone(table):
    assert marks(table, Goal.LEARN_MAP).of(np.arange(5)) == Marked()


def test_distance_is_in_sds_of_the_table_over_all_targets(table):
    y, z = table.table.values.T
    told = marks(table, Goal.REACH_STATE, Wanted(targets=(20.0, 100.0)))
    some = np.array([3, 70, 149])
    away = np.sqrt((((y - 20) / y.std()) ** 2 + ((z - 100) / z.std()) ** 2) / 2)
    assert told.of(some).distance == pytest.approx(away[some].min())
    nearest = np.argsort(away, kind="stable")[:100]
    assert told.of(some).top100 == np.isin(some, nearest).sum()
    assert told.of(np.arange(COUNT)).top100 == 100


def test_the_front_is_a_share_of_the_table_s_own(table):
    wanted = Wanted(directions=(Direction.UP, Direction.DOWN))
    told = marks(table, Goal.PARETO, wanted)
    some = np.arange(0, COUNT, 3)
    y, z = table.table.values.T
    turned = np.stack([(y - np.median(y)) / y.std(), (np.median(z) - z) / z.std()], axis=1)
    zero = np.zeros(2)
    share = hypervolume(turned[some], zero) / hypervolume(turned, zero)
    assert told.of(some).hypervolume == pytest.approx(share)
    assert 0 < share < 1
    assert told.of(np.arange(COUNT)).hypervolume == 1.0
