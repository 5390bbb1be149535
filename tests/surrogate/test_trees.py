import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor

from loop.contracts.surrogate import observations, problem
from surrogate.extra_trees import ExtraTrees
from surrogate.trees import Trees


@pytest.fixture
def grown():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(120, 6)).astype(np.float32)
    table[:, 5] = rng.integers(2, size=120)
    values = table[:, 0] * table[:, 5] + rng.normal(size=120)
    forests = [
        ExtraTreesRegressor(n_estimators=5, random_state=seed).fit(table[:90], values[:90])
        for seed in range(2)
    ]
    return forests, table


def test_trees_as_arrays_say_exactly_what_scikit_learn_says(grown):
    forests, table = grown
    said = Trees.of(forests)(table)

    expected = [tree.predict(table) for forest in forests for tree in forest.estimators_]
    np.testing.assert_array_equal(said, np.stack(expected))


def test_trees_pass_through_arrays_unchanged(grown):
    forests, table = grown
    trees = Trees.of(forests)

    np.testing.assert_array_equal(Trees.of_arrays(trees.arrays())(table), trees(table))


def test_a_tree_that_is_one_leaf_says_its_value(grown):
    _, table = grown
    leaf = ExtraTreesRegressor(n_estimators=1, random_state=0).fit(table[:1], [3.0])

    np.testing.assert_array_equal(Trees.of([leaf])(table[:4]), np.full((1, 4), 3.0))


def test_every_fit_keeps_the_wells_that_a_member_may_not_see():
    surrogate = ExtraTrees(problem(members=4, trees=1))
    surrogate.fit(observations(40), np.random.default_rng(3))
    seed = surrogate.state().settings["seed"]
    surrogate.fit(observations(60), np.random.default_rng(8))

    assert surrogate.state().settings["seed"] == seed
