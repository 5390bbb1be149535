"""The ensemble follows earlier screens as far as the data say."""

from dataclasses import replace

import numpy as np

from loop.ports.arrays import Combinations, Representations, TrainingSet
from loop.ports.engine import Compute, SurrogateProblem
from surrogate.ensemble import Ensemble
from tests.surrogate.earlier_screens import all_pairs, screen


def fitted(*screens, values):
    representations = Representations(
        np.zeros((40, 0)), np.zeros(40, dtype=bool), np.ones((1, 1)), np.zeros((40, 1))
    )
    problem = SurrogateProblem(representations, 2, 1, {}, Compute(threads=1), screens)
    surrogate = Ensemble(problem)
    rows = np.random.default_rng(2).choice(len(values), 100, replace=False)
    training = TrainingSet(
        all_pairs(40)[rows],
        values[rows, None],
        np.ones((100, 1), dtype=np.int64),
        np.full((100, 1), np.nan),
        rows.astype(np.uint64),
        np.ones(100, dtype=bool),
    )
    surrogate.fit(training, np.random.default_rng(0))
    return surrogate, np.setdiff1d(np.arange(len(values)), rows)


def correlation(surrogate, rest, values):
    return np.corrcoef(surrogate.believe(all_pairs(40)[rest]).mean[:, 0], values[rest])[0, 1]


def test_the_right_screen_is_followed_and_a_shuffled_one_hardly():
    right = screen(noise=1.0)
    values = right.values + np.random.default_rng(9).normal(size=780)
    wrong = replace(right, values=np.random.default_rng(4).permutation(right.values))

    alone = correlation(*fitted(values=values), values)

    assert correlation(*fitted(right, values=values), values) > alone + 0.05
    assert correlation(*fitted(wrong, values=values), values) > alone - 0.1


def test_it_comes_back_and_goes_on_from_there_and_leaves_the_control_alone():
    right = screen(noise=1.0)
    surrogate, rest = fitted(right, values=right.values)
    control = Combinations(np.full((1, 2), -1), np.full((1, 2), -1), np.zeros(1, dtype=np.int64))
    again = Ensemble(surrogate._problem)

    again.restore(surrogate.state())

    asked = all_pairs(40)[rest]
    np.testing.assert_allclose(again.believe(asked).mean, surrogate.believe(asked).mean)
    np.testing.assert_allclose(again.believe(control).mean, surrogate.believe(control).mean)
    learned = surrogate._learned
    states = learned.members.states(
        learned.members.tables(surrogate._encoder(control)[0]), surrogate._encoder(control)[1]
    )
    context = learned.members.manipulator.context_table(
        learned.members.contexts, learned.members.scales
    )
    np.testing.assert_allclose(states[:, 0].detach(), context.state[:, 0].detach(), atol=1e-6)
