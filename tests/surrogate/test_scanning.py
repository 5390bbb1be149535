"""What both surrogates offer for scanning, and their BoTorch models."""

import numpy as np
import pytest
import torch
from botorch.acquisition.logei import qLogExpectedImprovement
from botorch.acquisition.monte_carlo import qUpperConfidenceBound
from botorch.optim.optimize import optimize_acqf_discrete
from botorch.sampling.get_sampler import get_sampler

from loop.contracts.surrogate import every_kind, observations, problem
from loop.domain.errors import IncompatibleError, InvalidError
from loop.ports.arrays import Combinations, Representations
from loop.ports.engine import Compute, SurrogateProblem
from surrogate.ensemble import Ensemble
from surrogate.gaussian_process import GaussianProcess
from surrogate.placement import Placement


def fitted(kind, count=40):
    surrogate = kind(problem())
    surrogate.fit(observations(count), np.random.default_rng(3))
    return surrogate


@pytest.fixture(scope="module", params=[Ensemble, GaussianProcess])
def surrogate(request):
    return fitted(request.param)


def test_members_are_the_same_in_every_shard(surrogate):
    asked = every_kind()
    whole = surrogate.member_means(asked)
    shards = [surrogate.member_means(asked[slice(row, row + 1)]) for row in range(len(asked))]

    assert whole.dtype == torch.float32
    assert not whole.requires_grad
    torch.testing.assert_close(torch.cat(shards, dim=1), whole, rtol=1e-3, atol=1e-3)
    assert surrogate.member_means(asked[slice(0, 0)]).shape == (len(whole), 0, 2)


def test_the_mean_over_members_is_the_belief(surrogate):
    mean = surrogate.member_means(every_kind()).double().mean(dim=0)

    np.testing.assert_allclose(mean, surrogate.believe(every_kind()).mean, rtol=1e-3, atol=1e-3)


def test_noise_is_positive_for_each_readout(surrogate):
    assert surrogate.noise_sd().shape == (2,)
    assert (surrogate.noise_sd() > 0).all()


def test_the_spread_of_posterior_draws_is_the_epistemic_sd():
    process = GaussianProcess(problem(draws=4000))
    process.fit(observations(40), np.random.default_rng(3))

    spread = process.member_means(every_kind()).double().std(dim=0)

    np.testing.assert_allclose(spread, process.believe(every_kind()).epistemic_sd, rtol=0.35)


def test_the_joint_posterior_has_the_epistemic_sd_on_its_diagonal():
    process = fitted(GaussianProcess)
    posterior = process.model().posterior(torch.as_tensor(every_kind().features()))

    expected = process.believe(every_kind()).epistemic_sd
    np.testing.assert_allclose(posterior.variance.sqrt(), expected, rtol=0.02, atol=5e-3)


def test_the_sampler_takes_every_member_once_for_all_candidates():
    model = fitted(Ensemble).model()
    features = torch.as_tensor(every_kind().features())
    posterior = model.posterior(features[:, None, :])

    drawn = get_sampler(posterior, torch.Size([512]), seed=0)(posterior)

    assert drawn.shape == (16, len(features), 1, 2)
    torch.testing.assert_close(drawn, posterior.values.movedim(-3, 0))


@pytest.mark.parametrize("kind", [Ensemble, GaussianProcess])
def test_botorch_chooses_from_the_model(kind):
    surrogate = kind(SurrogateProblem(problem().representations, 3, 1, {}, Compute(threads=1)))
    training = observations(30)
    one = type(training)(
        training.combinations,
        training.values[:, :1],
        training.replicates[:, :1],
        training.spread[:, :1],
        training.identities,
        training.audit,
    )
    surrogate.fit(one, np.random.default_rng(0))
    choices = torch.as_tensor(every_kind().features())
    for value in (
        qLogExpectedImprovement(surrogate.model(), best_f=0.0),
        qUpperConfidenceBound(surrogate.model(), beta=1.0),
    ):
        rows, _ = optimize_acqf_discrete(value, q=2, choices=choices)

        assert rows.shape == (2, choices.shape[1])


def test_a_state_of_another_library_is_refused():
    state = fitted(Ensemble).state()
    other = Representations(np.zeros((3, 0)), np.zeros(3, dtype=bool), np.eye(2), np.zeros((3, 1)))

    with pytest.raises(IncompatibleError, match="retrain from scratch"):
        Ensemble(SurrogateProblem(other, 3, 2, {}, Compute())).restore(state)


def test_more_observations_than_an_exact_process_takes_are_refused():
    training = observations(40)
    many = training[np.resize(np.arange(40), 2001)]

    with pytest.raises(IncompatibleError, match="2001; use the surrogate 'ensemble'"):
        GaussianProcess(problem()).fit(many, np.random.default_rng(0))


@pytest.mark.parametrize("value", [1, 2.5, "many", True, 5000])
def test_a_setting_out_of_range_is_refused(value):
    with pytest.raises(InvalidError, match=r"\[surrogate\] members = .* whole number from 2"):
        Ensemble(problem(members=value))


def test_the_nearest_setting_is_named():
    with pytest.raises(InvalidError, match="Did you mean 'members'"):
        Ensemble(problem(membrs=8))


@pytest.mark.parametrize(
    "compute", [Compute(device="cuda:99"), Compute(device="abacus"), Compute(dtype="int3")]
)
def test_a_machine_that_is_not_there_is_refused(compute):
    with pytest.raises(InvalidError):
        Placement.of(compute)


def test_the_number_of_threads_is_put_back():
    before = torch.get_num_threads()
    with Placement.of(Compute(threads=before + 1)).computing():
        assert torch.get_num_threads() == before + 1

    assert torch.get_num_threads() == before


def test_an_interrupted_warm_start_leaves_the_ensemble_as_it_was():
    surrogate = fitted(Ensemble)
    before = surrogate.believe(every_kind())

    def cancel(share, doing):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        surrogate.fit(observations(60), np.random.default_rng(0), cancel)

    np.testing.assert_array_equal(surrogate.believe(every_kind()).mean, before.mean)


def test_identity_is_enough_where_there_are_no_urs():
    known = np.zeros(30, dtype=bool)
    representations = Representations(np.zeros((30, 0)), known, np.ones((1, 1)), np.zeros((30, 1)))
    rng = np.random.default_rng(0)
    effect = rng.normal(size=30)
    components = np.sort([rng.choice(30, 2, replace=False) for _ in range(120)], axis=1)
    combinations = Combinations(components, np.zeros_like(components), np.zeros(120, dtype=int))
    training = observations(40)[np.resize(np.arange(40), 120)]
    measured = type(training)(
        combinations,
        effect[components].sum(axis=1)[:, None] + 0.2 * rng.normal(size=(120, 1)),
        np.ones((120, 1), dtype=int),
        np.full((120, 1), np.nan),
        np.arange(120, dtype=np.uint64),
        np.zeros(120, dtype=bool),
    )
    every = np.array([(a, b) for a in range(30) for b in range(a + 1, 30)])
    asked = Combinations(every, np.zeros_like(every), np.zeros(len(every), dtype=int))
    for kind in (Ensemble, GaussianProcess):
        surrogate = kind(SurrogateProblem(representations, 2, 1, {}, Compute(threads=1)))
        surrogate.fit(measured, np.random.default_rng(0))

        told = surrogate.believe(asked).mean[:, 0]

        assert np.corrcoef(told, effect[every].sum(axis=1))[0, 1] > 0.9
