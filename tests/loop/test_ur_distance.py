import numpy as np
import pytest

from loop.ports.arrays import Representations, View
from loop.ur_distance import UrDistance


def urs(vectors, known=None, views=()):
    vectors = np.asarray(vectors, dtype=np.float64)
    every = np.ones(len(vectors), dtype=bool) if known is None else np.asarray(known)
    return Representations(vectors, every, np.eye(1), np.zeros((len(vectors), 1)), views)


def test_units_and_offsets_of_a_view_do_not_matter():
    vectors = np.random.default_rng(0).normal(size=(30, 5))
    rows = np.arange(30)
    plain = UrDistance(urs(vectors)).between(rows, rows)

    assert np.allclose(plain, UrDistance(urs(1e4 * vectors + 7e4)).between(rows, rows), atol=1e-3)
    assert np.allclose(np.diag(plain), 0)
    assert 1.2 < np.median(plain[~np.eye(30, dtype=bool)]) < 1.6


def test_only_views_that_know_both_count():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(20, 4)), 100 * rng.normal(size=(20, 3))
    in_first, in_second = np.arange(20) < 15, np.arange(20) >= 5
    joined = np.concatenate([first * in_first[:, None], second * in_second[:, None]], axis=1)
    views = (View("a", 4, in_first), View("b", 3, in_second))
    distance = UrDistance(urs(joined, in_first | in_second, views))
    rows = np.arange(20)
    apart = distance.between(rows, rows)
    alone = UrDistance(urs(first * in_first[:, None], in_first)).between(rows, rows)

    assert np.allclose(apart[:5, :15], alone[:5, :15], atol=1e-3)
    assert np.isinf(apart[0, 19])
    assert np.isfinite(apart[10]).all()


def test_the_unknown_are_infinitely_far_from_all_but_themselves():
    distance = UrDistance(urs([[1.0, 0], [0, 1], [0, 0]], [True, True, False]))
    apart = distance.between(np.arange(3), np.arange(3))

    assert distance.known.tolist() == [True, True, False]
    assert np.isinf(apart[2, :2]).all()
    assert apart[2, 2] == 0


def test_without_urs_nobody_is_known():
    distance = UrDistance(urs(np.zeros((4, 0)), np.zeros(4, dtype=bool)))

    assert not distance.known.any()
    assert np.isinf(distance.between(np.array([0]), np.array([1]))).all()


@pytest.mark.parametrize("count", [3, 1_500])
def test_the_nearest_other_is_never_oneself(count):
    vectors = np.random.default_rng(2).normal(size=(count, 3))
    rows = np.arange(count)
    distance = UrDistance(urs(vectors))
    apart = distance.between(rows, rows)
    np.fill_diagonal(apart, np.inf)

    assert np.allclose(distance.to_nearest(rows, rows), apart.min(axis=1), atol=1e-3)
    assert np.isinf(distance.to_nearest(rows, rows[:0])).all()
