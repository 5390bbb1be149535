import numpy as np
import pytest
import torch
from scipy import sparse

from loop.contracts.surrogate import every_kind, observations, problem
from surrogate.bayesian_regression import Regression
from surrogate.linear_features import Columns, LinearFeatures
from surrogate.prior_evidence import PriorEvidence
from surrogate.representation.whitening import Whitenings

NOISE = 0.4


@pytest.fixture
def told():
    """25 rows of 6 sparse columns, the last of which nobody has, and 3 dense ones."""
    rng = np.random.default_rng(0)
    thin = rng.normal(size=(25, 6)) * (rng.random((25, 6)) < 0.3)
    thin[:, 5] = 0.0
    columns = Columns(sparse.csr_matrix(thin), rng.normal(size=(25, 3)))
    wells = rng.integers(1, 4, 25).astype(float)
    return columns, rng.normal(size=25), wells, rng.uniform(0.3, 2.0, 9)


def dense(columns):
    return np.concatenate([columns.sparse.toarray(), columns.dense], axis=1)


def test_the_posterior_is_the_textbook_one(told):
    columns, values, wells, prior = told
    solved = Regression.solve(columns, values, wells, prior, NOISE)
    x = dense(columns)
    covariance = np.linalg.inv(np.diag(1 / prior) + x.T @ (x * (wells / NOISE)[:, None]))
    weights = covariance @ (x.T @ (values * wells / NOISE))

    asked = np.ones((1, 9))
    mean, variance = solved.marginals(Columns(sparse.csr_matrix(asked[:, :6]), asked[:, 6:]))

    np.testing.assert_allclose(mean, asked @ weights, rtol=1e-8)
    np.testing.assert_allclose(variance, (asked @ covariance @ asked.T)[0], rtol=1e-8)


def test_leaving_one_out_in_closed_form_is_solving_without_the_row(told):
    columns, values, wells, prior = told
    solved = Regression.solve(columns, values, wells, prior, NOISE)
    means, variances = solved.leave_one_out(columns, values, wells)

    for row in range(len(values)):
        others = np.flatnonzero(np.arange(len(values)) != row)
        without = Regression.solve(columns[others], values[others], wells[others], prior, NOISE)
        mean, variance = without.marginals(columns[np.array([row])])
        np.testing.assert_allclose(means[row], mean[0], rtol=1e-6)
        np.testing.assert_allclose(variances[row], variance[0], rtol=1e-6)


def test_draws_have_the_mean_and_the_spread_of_the_posterior(told):
    columns, values, wells, prior = told
    solved = Regression.solve(columns, values, wells, prior, NOISE)
    draws = columns.times(solved.draws(6_000, torch.Generator().manual_seed(0)))
    mean, variance = solved.marginals(columns)

    np.testing.assert_allclose(draws.mean(axis=1), mean, atol=1e-9)
    np.testing.assert_allclose(draws.std(axis=1), np.sqrt(variance), rtol=0.06)


def test_columns_have_a_group_each_and_the_empty_set_has_its_context_alone():
    here = problem().representations
    features = LinearFeatures(here, Whitenings.of(here, 4), PriorEvidence((), here.doses))
    columns, groups = features(every_kind()), features.groups(3)
    empty = dense(columns)[0]

    assert dense(columns).shape == (len(every_kind()), len(groups))
    assert set(groups[empty != 0]) <= {"context"}


def test_the_pair_columns_are_sums_over_pairs():
    here = problem().representations
    whitenings = Whitenings.of(here, 4)
    features = LinearFeatures(here, whitenings, PriorEvidence((), here.doses))
    asked = observations(30).combinations
    urs = whitenings.perturbagens(here.perturbagens, here.known)
    columns = dense(features(asked))[:, features.groups(3) == "pair"]
    first, second = np.triu_indices(urs.shape[1])
    expected = np.zeros_like(columns)
    for row, members in enumerate(asked.components):
        there = urs[members[members >= 0]]
        for one in range(len(there)):
            for other in range(one):
                both = there[one][first] * there[other][second]
                expected[row] += 0.5 * (both + there[other][first] * there[one][second])

    size = np.linalg.norm(columns) / np.linalg.norm(expected)
    np.testing.assert_allclose(columns, expected * size, atol=1e-9)
