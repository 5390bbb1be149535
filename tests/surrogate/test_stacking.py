import numpy as np
import pytest

from surrogate.stacking import stacking_weights


def test_without_wells_all_are_equal():
    np.testing.assert_allclose(stacking_weights(np.zeros((0, 3)), 8.0), np.full(3, 1 / 3))


def test_the_better_one_is_heard_more_and_the_more_wells_the_more():
    rng = np.random.default_rng(0)
    scores = np.stack([np.zeros(400), rng.normal(-1.0, 0.3, 400)], axis=1)

    few, many = stacking_weights(scores[:20], 8.0), stacking_weights(scores, 8.0)

    assert 0.5 < few[0] < many[0]
    assert many[0] > 0.9


def test_two_that_are_right_in_turn_share():
    scores = np.array([[0.0, -5.0], [-5.0, 0.0]] * 50)

    np.testing.assert_allclose(stacking_weights(scores, 1.0), [0.5, 0.5], atol=1e-6)


@pytest.mark.parametrize("shift", [-1e4, 1e4])
def test_only_differences_between_surrogates_count(shift):
    scores = np.random.default_rng(1).normal(size=(50, 2))

    np.testing.assert_allclose(
        stacking_weights(scores + shift, 4.0), stacking_weights(scores, 4.0), atol=1e-6
    )
