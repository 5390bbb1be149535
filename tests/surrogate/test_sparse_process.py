from dataclasses import replace

import numpy as np
import pytest
import torch

from loop.contracts.surrogate import every_kind, observations, problem
from surrogate.gaussian_process import GaussianProcess
from surrogate.sparse_gaussian_process import SparseGaussianProcess
from surrogate.sparse_process import SparseProcess, most_telling

LOGS = torch.tensor([0.0, np.log(0.3)], dtype=torch.float64)


@pytest.fixture
def setting():
    """A smooth covariance of 30 places, 12 of them inducing, with values and wells."""
    rng = np.random.default_rng(0)
    places = torch.tensor(rng.normal(size=(30, 2)))
    whole = torch.exp(-0.5 * torch.cdist(places, places).square())
    values = torch.tensor(rng.normal(size=30))
    wells = torch.tensor(rng.integers(1, 4, 30).astype(float))
    return whole, torch.arange(12), values, wells


def chunks(whole, chosen, values, wells, rows):
    def parts():
        for part in rows.split(7):
            yield whole[part][:, chosen], whole.diagonal()[part], values[part], wells[part]

    return parts


def test_it_is_the_exact_process_where_everything_is_inducing():
    exact, sparse = GaussianProcess(problem()), SparseGaussianProcess(problem())
    for each in (exact, sparse):
        each.fit(observations(40), np.random.default_rng(3))

    for asked in ("believe", "out_of_fold"):
        first, second = (
            each.believe(every_kind()) if asked == "believe" else each.out_of_fold()
            for each in (exact, sparse)
        )
        np.testing.assert_allclose(first.mean, second.mean, atol=3e-3)
        np.testing.assert_allclose(first.epistemic_sd, second.epistemic_sd, rtol=2e-2, atol=3e-3)
        np.testing.assert_allclose(first.aleatoric_sd, second.aleatoric_sd, rtol=1e-6)


def test_the_posterior_is_that_of_the_low_rank_covariance(setting):
    whole, chosen, values, wells = setting
    rows = torch.arange(30)
    parts = chunks(whole, chosen, values, wells, rows)
    process = SparseProcess.solve(whole[chosen][:, chosen], parts, LOGS)

    cross = whole[:, chosen]
    low = cross @ torch.linalg.solve(whole[chosen][:, chosen], cross.T)
    noisy = low + torch.diag(LOGS[-1].exp() / wells)
    expected = low @ torch.linalg.solve(noisy, values)
    left = whole.diagonal() - (low * torch.linalg.solve(noisy, low).T).sum(dim=1)

    np.testing.assert_allclose(cross @ process.weights, expected, atol=1e-4)
    found = whole.diagonal() - (cross @ process.reach).square().sum(dim=1)
    np.testing.assert_allclose(found, left, atol=1e-4)


def test_leaving_one_out_in_closed_form_is_solving_without_the_row(setting):
    whole, chosen, values, wells = setting
    rows = torch.arange(30)
    inducing = whole[chosen][:, chosen]
    process = SparseProcess.solve(inducing, chunks(whole, chosen, values, wells, rows), LOGS)
    means, variances = process.leave_one_out(chunks(whole, chosen, values, wells, rows)())

    for row in range(30):
        others = rows[rows != row]
        without = SparseProcess.solve(inducing, chunks(whole, chosen, values, wells, others), LOGS)
        cross = whole[row, chosen]
        variance = whole[row, row] - (cross @ without.reach).square().sum()
        np.testing.assert_allclose(means[row], cross @ without.weights, atol=1e-5)
        np.testing.assert_allclose(variances[row], variance, atol=1e-5)


def test_inducing_perturbations_are_those_that_the_others_explain_least():
    places = torch.tensor([[0.0], [0.01], [5.0], [5.01], [10.0]], dtype=torch.float64)
    whole = torch.exp(-0.5 * torch.cdist(places, places).square())

    chosen = most_telling(whole.diagonal(), lambda place: whole[place], 3)

    assert {int(each) // 2 for each in chosen} == {0, 1, 2}
    assert not len(most_telling(torch.zeros(4), lambda place: torch.zeros(4), 3))


def test_fewer_inducing_perturbations_leave_more_doubt():
    few, many = (SparseGaussianProcess(problem(inducing=count)) for count in (3, 40))
    for each in (few, many):
        each.fit(observations(40), np.random.default_rng(3))

    assert few.out_of_fold().epistemic_sd.mean() > many.out_of_fold().epistemic_sd.mean()


def test_more_than_2000_observations_are_taken():
    training = observations(40)
    many = training[np.resize(np.arange(40), 2_500)]
    surrogate = SparseGaussianProcess(problem(inducing=30, steps=4))
    surrogate.fit(
        replace(many, identities=np.arange(2_500, dtype=np.uint64)), np.random.default_rng(0)
    )

    assert len(surrogate.out_of_fold()) == 2_500
