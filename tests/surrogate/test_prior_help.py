from dataclasses import replace

import numpy as np

from loop.ports.arrays import Representations, TrainingSet
from loop.ports.engine import Compute, SurrogateProblem
from surrogate.gaussian_process import GaussianProcess
from tests.surrogate.earlier_screens import all_pairs, screen


def fitted(*screens, values):
    representations = Representations(
        np.zeros((40, 0)), np.zeros(40, dtype=bool), np.ones((1, 1)), np.zeros((40, 1))
    )
    problem = SurrogateProblem(representations, 2, 1, {}, Compute(threads=1), screens)
    surrogate = GaussianProcess(problem)
    rows = np.random.default_rng(2).choice(len(values), 80, replace=False)
    surrogate.fit(
        TrainingSet(
            all_pairs(40)[rows],
            values[rows, None],
            np.ones((80, 1), dtype=np.int64),
            np.full((80, 1), np.nan),
            rows.astype(np.uint64),
            np.ones(80, dtype=bool),
        ),
        np.random.default_rng(0),
    )
    return surrogate


def test_the_right_screen_helps_and_a_shuffled_one_does_not():
    right = screen(noise=1.0, name="right")
    shuffled = np.random.default_rng(4).permutation(right.values)
    wrong = replace(right, name="wrong", values=shuffled)
    values = screen(noise=1.0, seed=0).values + np.random.default_rng(9).normal(size=780)

    told = fitted(right, wrong, values=values).prior_help()

    assert told["right"] > 0.1
    assert told["wrong"] < 0.03


def test_draws_follow_the_screens_as_the_mean_does():
    right = screen(noise=1.0)
    surrogate = fitted(right, values=right.values)
    asked = all_pairs(40)[np.arange(0, 780, 7)]

    belief, draws = surrogate.believe(asked), surrogate.member_means(asked)

    np.testing.assert_allclose(draws.mean(dim=0), belief.mean, atol=1e-3)
    spread = draws.std(dim=0).numpy()
    np.testing.assert_allclose(np.median(spread / belief.epistemic_sd), 1.0, atol=0.25)
