import numpy as np
import pytest

from loop.domain.errors import InvalidError
from loop.ports.arrays import Representations, TrainingSet
from loop.ports.engine import Compute, SurrogateProblem
from surrogate.prior_belief import PriorBelief
from tests.surrogate.earlier_screens import all_pairs, screen


def believing(*screens, readouts=1):
    representations = Representations(
        np.zeros((40, 0)), np.zeros(40, dtype=bool), np.ones((1, 1)), np.zeros((40, 1))
    )
    return PriorBelief(SurrogateProblem(representations, 2, readouts, {}, Compute(), screens))


NOTHING = TrainingSet(
    all_pairs(40)[np.zeros(0, dtype=int)],
    np.zeros((0, 1)),
    np.zeros((0, 1), dtype=np.int64),
    np.zeros((0, 1)),
    np.zeros(0, dtype=np.uint64),
    np.zeros(0, dtype=bool),
)


def training(values):
    count = len(values)
    return TrainingSet(
        all_pairs(40),
        values[:, None],
        np.ones((count, 1), dtype=np.int64),
        np.full((count, 1), np.nan),
        np.arange(count, dtype=np.uint64),
        np.ones(count, dtype=bool),
    )


def test_it_believes_a_little_of_what_the_screen_says():
    earlier = screen()

    belief = believing(earlier, readouts=2).believe(all_pairs(40))

    assert np.corrcoef(belief.mean[:, 0], earlier.values)[0, 1] > 0.9
    assert 0.1 < belief.mean[:, 0].std() < 0.5
    np.testing.assert_array_equal(belief.mean[:, 0], belief.mean[:, 1])


def test_draws_keep_the_mean():
    surrogate = believing(screen(), screen(seed=3, name="other"))

    draws = surrogate.member_means(all_pairs(40))

    belief = surrogate.believe(all_pairs(40))
    np.testing.assert_allclose(draws.mean(dim=0), belief.mean, atol=1e-5)
    np.testing.assert_allclose(
        np.median(draws.std(dim=0).numpy() / belief.epistemic_sd), 1.0, atol=0.25
    )


def test_it_comes_back_from_its_state():
    first, second = believing(screen()), believing(screen())
    first.fit(NOTHING, np.random.default_rng(5))

    second.restore(first.state())

    np.testing.assert_array_equal(
        first.member_means(all_pairs(40)), second.member_means(all_pairs(40))
    )


def test_once_there_are_wells_it_believes_in_their_unit():
    earlier = screen()
    plain, scaled, empty = (believing(earlier) for _ in range(3))
    told = training(earlier.values)
    empty.fit(NOTHING, np.random.default_rng(5))
    plain.fit(told, np.random.default_rng(5))
    scaled.fit(training(50 * earlier.values + 1000), np.random.default_rng(5))

    first, second = plain.believe(all_pairs(40)), scaled.believe(all_pairs(40))

    np.testing.assert_allclose(second.mean, 50 * first.mean + 1000)
    np.testing.assert_allclose(second.epistemic_sd, 50 * first.epistemic_sd)
    np.testing.assert_allclose(scaled.noise_sd(), 50 * plain.noise_sd(), rtol=1e-6)
    np.testing.assert_allclose(
        scaled.member_means(all_pairs(40)).mean(dim=0), second.mean, rtol=1e-4
    )
    assert abs(empty.believe(all_pairs(40)).mean).max() < 5
    scaled_again = believing(earlier)
    scaled_again.restore(scaled.state())
    np.testing.assert_array_equal(scaled_again.believe(all_pairs(40)).mean, second.mean)


def test_without_a_screen_there_is_nothing_to_believe():
    with pytest.raises(InvalidError, match="earlier screen"):
        believing()
