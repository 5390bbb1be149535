import numpy as np
import pytest

from benchmarks.decisions.paired import difference, sign_flip_p


def test_differences_are_taken_over_common_seeds():
    mine = {0: 11.0, 1: 22.0, 2: 33.0, 3: 44.0, 9: 1000.0}
    theirs = {0: 10.0, 1: 20.0, 2: 30.0, 3: 40.0, 8: -1000.0}

    found = difference(mine, theirs)

    assert (found.seeds, found.mean) == (4, 2.5)
    assert found.sd == pytest.approx(1.2909944)
    # t(0.975, 3) = 3.1824463, standard error 0.6454972
    assert (found.low, found.high) == pytest.approx((2.5 - 2.0542605, 2.5 + 2.0542605))
    # Of the 16 ways to give 1, 2, 3, 4 a sign, two are as far from zero as all alike.
    assert found.p == 2 / 16


def test_one_common_seed_has_no_interval_and_none_no_difference():
    assert difference({0: 3.0}, {0: 1.0, 1: 2.0}).p is None
    assert difference({0: 3.0}, {1: 2.0}) is None


def test_equal_strategies_differ_by_nothing():
    found = difference({0: 3.0, 1: 4.0, 2: 5.0}, {0: 3.0, 1: 4.0, 2: 5.0})
    assert (found.mean, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_rounding_does_not_make_the_observed_flip_disappear():
    assert sign_flip_p(np.array([0.1, 0.2, 0.3])) == 2 / 8


@pytest.mark.parametrize(("shift", "low", "high"), [(2.0, 0.0, 1e-3), (0.0, 0.05, 1.0)])
def test_many_seeds_are_flipped_at_random(shift, low, high):
    apart = np.random.default_rng(4).normal(size=30) + shift
    assert low < sign_flip_p(apart) < high
    assert sign_flip_p(apart) == sign_flip_p(apart)
