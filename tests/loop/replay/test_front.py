import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loop.replay.front import hypervolume

VALUES = st.integers(2, 4).flatmap(
    lambda readouts: st.lists(
        st.lists(st.integers(0, 4), min_size=readouts, max_size=readouts), min_size=1, max_size=8
    )
)


def counted(values, worst):
    """The volume of integer values, cell by cell."""
    grid = np.indices([5] * values.shape[1]).reshape(values.shape[1], -1).T
    above = np.maximum(grid, worst)
    covered = (above[:, None] < values[None]).all(axis=2).any(axis=1) & (grid >= worst).all(axis=1)
    return int(covered.sum())


@given(VALUES)
@settings(max_examples=150, deadline=None)
def test_the_volume_is_that_of_all_cells_below_some_value(values):
    known = np.array(values)
    worst = np.zeros(known.shape[1])
    assert hypervolume(known.astype(float), worst) == pytest.approx(counted(known, worst))


@given(VALUES, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_neither_order_nor_what_is_dominated_changes_it(values, random):
    known = np.array(values, dtype=float)
    worst = np.zeros(known.shape[1])
    whole = hypervolume(known, worst)
    more = [*values, *[[max(each - 1, 0) for each in row] for row in values]]
    random.shuffle(more)
    assert hypervolume(np.array(more, dtype=float), worst) == pytest.approx(whole)
    swapped = known[:, ::-1]
    assert hypervolume(swapped, worst) == pytest.approx(whole)


def test_two_readouts_by_hand():
    front = np.array([[3.0, 1.0], [2.0, 2.0], [1.0, 1.0]])
    assert hypervolume(front, np.zeros(2)) == 5.0
    assert hypervolume(front, np.array([1.0, 0.0])) == 3.0
    assert hypervolume(front, np.array([3.0, 0.0])) == 0.0
    assert hypervolume(np.zeros((0, 2)), np.zeros(2)) == 0.0
