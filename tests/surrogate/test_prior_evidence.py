import numpy as np

from loop.ports.arrays import Combinations, PriorScreen
from surrogate.prior_evidence import PriorEvidence
from tests.surrogate.earlier_screens import all_pairs, screen


def pair(first, second, levels=(0, 0)):
    return Combinations(
        np.array([[first, second]]), np.array([levels]), np.zeros(1, dtype=np.int64)
    )


def test_without_screens_there_are_no_columns():
    evidence = PriorEvidence((), np.zeros((5, 1)))

    assert evidence.columns(pair(0, 1)).shape == (1, 0)
    assert evidence.view.shape == (5, 0)
    assert evidence.names == ()


def test_expectation_and_remainder_make_up_what_the_screen_measured():
    earlier = screen()
    evidence = PriorEvidence((earlier,), np.zeros((40, 1)))

    expected, left = evidence.columns(all_pairs(40)).T

    # Both columns have SD 1 over the screen, so the regression gives back their sizes.
    weights = np.linalg.lstsq(np.stack([expected, left], axis=1), earlier.values, rcond=None)[0]
    rebuilt = np.stack([expected, left], axis=1) @ weights
    assert np.corrcoef(rebuilt, earlier.values)[0, 1] > 0.99
    np.testing.assert_allclose(np.sqrt((expected**2).mean()), 1, rtol=1e-6)


def test_perturbagens_stand_elsewhere_in_the_campaign():
    earlier = screen()
    order = np.random.default_rng(3).permutation(40)
    evidence = PriorEvidence((screen(positions=order),), np.zeros((40, 1)))
    plain = PriorEvidence((earlier,), np.zeros((40, 1)))

    np.testing.assert_allclose(
        evidence.columns(pair(2, 9)), plain.columns(pair(*sorted((order[2], order[9]))))
    )
    np.testing.assert_allclose(evidence.view[2], plain.view[order[2]])


def test_what_the_screen_does_not_hold_and_the_control_get_nothing():
    positions = np.arange(40)
    positions[7] = -1
    evidence = PriorEvidence((screen(positions=positions),), np.zeros((40, 1)))

    control = Combinations(np.full((1, 2), -1), np.full((1, 2), -1), np.zeros(1, dtype=np.int64))
    assert evidence.columns(control).tolist() == [[0.0, 0.0]]
    assert not evidence.view[7].any()
    # The remainder belongs to the very perturbation; half of it is another.
    assert evidence.columns(pair(3, 7))[0, 1] == 0.0


def test_a_dose_is_answered_by_the_nearest_that_was_measured():
    doses = np.array([[-1.0, 0.0], [-1.0, 0.0]])
    combinations = Combinations(
        np.array([[0, 1]] * 4),
        np.array([[0, 0], [0, 1], [1, 0], [1, 1]]),
        np.zeros(4, dtype=np.int64),
    )
    earlier = PriorScreen(
        "doses", combinations, np.array([0.0, 1.0, 2.0, 9.0]), doses, np.array([0, 1])
    )
    evidence = PriorEvidence((earlier,), np.array([[-0.9, 0.1], [-1.2, 0.2]]))

    answers = [evidence.columns(pair(0, 1, levels))[0, 1] for levels in [(0, 0), (1, 1)]]

    assert answers[1] > answers[0]


def test_two_screens_stand_side_by_side():
    evidence = PriorEvidence((screen(name="a"), screen(name="b", seed=5)), np.zeros((40, 1)))

    assert evidence.columns(pair(0, 1)).shape == (1, 4)
    assert evidence.names == ("expected by a", "measured by a", "expected by b", "measured by b")
    assert evidence.screens["b"] == ("expected by b", "measured by b")
