import numpy as np

from surrogate.out_of_bag import Jury, out_of_bag, reliability


def test_only_members_that_did_not_see_a_row_judge_it():
    predicted = np.array([[[1.0]], [[3.0]], [[100.0]]])

    jury = out_of_bag(predicted, np.array([[False], [False], [True]]))

    assert jury.mean[0, 0] == 2.0
    assert jury.variance[0, 0] == 2.0


def test_a_row_that_all_members_saw_gets_the_prior():
    jury = out_of_bag(np.full((3, 1, 1), 9.0), np.ones((3, 1), dtype=bool))

    assert (jury.mean, jury.variance) == (0.0, 1.0)


def test_predictions_that_say_nothing_are_hardly_trusted():
    rng = np.random.default_rng(0)
    jury = Jury(rng.normal(size=(500, 1)), np.zeros((500, 1)))

    learned = reliability(
        jury,
        rng.normal(size=(500, 1)),
        np.ones((500, 1), dtype=int),
        np.full((500, 1), np.nan),
    )

    assert learned.trust[0] < 0.2
    assert abs(learned.noise[0] - 1.0) < 0.1
    assert learned.misfit[0] == 0.0


def test_replicates_tell_noise_from_misfit():
    rng = np.random.default_rng(0)
    told = rng.normal(size=(4000, 1))
    values = told + 0.5 * rng.normal(size=told.shape) + 0.3 * rng.normal(size=told.shape) / 2**0.5

    learned = reliability(
        Jury(told, np.zeros_like(told)), values, np.full(told.shape, 2), np.full(told.shape, 0.3)
    )

    assert learned.trust[0] > 0.95
    assert abs(learned.noise[0] - 0.3) < 1e-9
    assert abs(learned.misfit[0] - 0.5) < 0.03
