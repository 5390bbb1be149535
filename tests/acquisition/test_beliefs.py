"""Beliefs asked in every way that a surrogate allows."""

import numpy as np
import pytest
import torch
from botorch.models.ensemble import EnsembleModel
from botorch.posteriors.gpytorch import GPyTorchPosterior
from torch import Tensor

from acquisition.belief.beliefs import beliefs_of
from acquisition.rules.expected_hits import ExpectedHits
from acquisition.rules.expected_improvement import LogExpectedImprovement
from loop.domain.errors import IncompatibleError
from loop.domain.goal import Goal
from tests.acquisition.asking import ask
from tests.acquisition.gaussian import gaussian_process
from tests.acquisition.linear_draws import LinearDraws, ModelOnly
from tests.acquisition.small_space import SmallSpace

ALL = SmallSpace().unrank(np.arange(72))


def test_an_ensemble_is_the_same_through_its_members_and_through_its_model() -> None:
    members = beliefs_of(LinearDraws(), 8, 0)
    model = beliefs_of(ModelOnly(LinearDraws().model()), 8, 0)

    assert torch.equal(members.marginals(ALL)[0].means, model.marginals(ALL)[0].means)
    assert torch.equal(members.draws(ALL), model.draws(ALL))


def test_a_gaussian_posterior_gives_its_mean_its_sd_and_its_noise() -> None:
    model = gaussian_process()
    [marginals] = beliefs_of(ModelOnly(model), 8, 0).marginals(ALL)

    posterior = model.posterior(torch.from_numpy(ALL.features()))
    assert torch.allclose(marginals.mean, posterior.mean[:, 0])
    assert torch.allclose(marginals.epistemic_sd, posterior.variance[:, 0].sqrt(), atol=1e-6)
    assert marginals.noise_sd == pytest.approx(0.3, abs=1e-6)


def test_joint_draws_of_a_gaussian_have_its_mean_and_covariance() -> None:
    model = gaussian_process()
    few = SmallSpace().unrank(np.arange(5, 9))

    draws = beliefs_of(ModelOnly(model), 4_096, 1).draws(few)[..., 0]

    posterior = model.posterior(torch.from_numpy(few.features()))
    assert torch.allclose(draws.mean(dim=0), posterior.mean[:, 0])
    assert isinstance(posterior, GPyTorchPosterior)
    exact = posterior.distribution.covariance_matrix
    assert torch.allclose(torch.cov(draws.T), exact, atol=0.05)


def test_a_surrogate_without_members_may_still_know_its_noise() -> None:
    class Knowing(ModelOnly):
        def noise_sd(self) -> Tensor:
            return torch.tensor([0.7])

    [marginals] = beliefs_of(Knowing(LinearDraws().model()), 8, 0).marginals(ALL)

    assert marginals.noise_sd == pytest.approx(0.7)


def test_members_with_weights_count_as_often_as_they_weigh() -> None:
    class Weighted(EnsembleModel):
        def __init__(self) -> None:
            super().__init__(weights=torch.tensor([3.0, 1.0]))
            self._num_outputs = 1

        def forward(self, X: Tensor) -> Tensor:  # noqa: N803
            ones = torch.ones(*X.shape[:-2], 1, X.shape[-2], 1, dtype=torch.float64)
            return torch.cat([0 * ones, ones], dim=-3)

    [marginals] = beliefs_of(ModelOnly(Weighted()), 8, 0).marginals(ALL)

    assert marginals.mean.tolist() == pytest.approx([0.25] * 72)


def test_a_surrogate_whose_model_is_not_botorchs_is_refused() -> None:
    with pytest.raises(IncompatibleError, match="gives a str where a botorch Model is needed"):
        beliefs_of(ModelOnly("no model"), 8, 0)


@pytest.mark.parametrize("by_model", [False, True])
def test_a_surrogate_that_predicts_nan_is_refused_with_the_member_named(by_model: bool) -> None:
    broken = LinearDraws()
    broken.effects[2, 3] = float("nan")
    surrogate = ModelOnly(broken.model()) if by_model else broken

    with pytest.raises(IncompatibleError, match=r"Member 3 .* nan for perturbagens \[0, 3\]"):
        ExpectedHits().choose(ask(surrogate=surrogate), np.random.default_rng(0))


@pytest.mark.parametrize(
    "surrogate",
    [LinearDraws(), ModelOnly(gaussian_process()), ModelOnly(LinearDraws().model())],
)
def test_the_global_random_state_is_left_alone(surrogate: LinearDraws | ModelOnly) -> None:
    before = torch.random.get_rng_state()

    LogExpectedImprovement().choose(
        ask(Goal.MAXIMIZE, surrogate=surrogate), np.random.default_rng(0)
    )

    assert torch.equal(torch.random.get_rng_state(), before)
