"""What all surrogates around a `Solution` offer for scanning, and what they refuse."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from loop.contracts.surrogate import every_kind, observations, problem
from loop.domain.errors import IncompatibleError
from surrogate.additive_low_rank import AdditiveLowRank
from surrogate.deep_kernel import DeepKernel
from surrogate.extra_trees import ExtraTrees
from surrogate.linear import Linear
from surrogate.sparse_gaussian_process import SparseGaussianProcess
from surrogate.two_hot_process import TwoHotGaussianProcess

SOLVED = [AdditiveLowRank, DeepKernel, ExtraTrees, Linear, SparseGaussianProcess]


def fitted(kind, asked=None):
    surrogate = kind(asked or problem())
    surrogate.fit(observations(40), np.random.default_rng(3))
    return surrogate


@pytest.fixture(scope="module", params=SOLVED)
def surrogate(request):
    return fitted(request.param)


def test_members_are_the_same_in_every_shard(surrogate):
    asked = every_kind()
    whole = surrogate.member_means(asked)
    shards = [surrogate.member_means(asked[slice(row, row + 1)]) for row in range(len(asked))]

    assert whole.dtype == torch.float32
    torch.testing.assert_close(torch.cat(shards, dim=1), whole, rtol=1e-3, atol=1e-3)
    assert surrogate.member_means(asked[slice(0, 0)]).shape == (len(whole), 0, 2)


def test_the_mean_over_members_is_the_belief(surrogate):
    mean = surrogate.member_means(every_kind()).double().mean(dim=0)

    np.testing.assert_allclose(mean, surrogate.believe(every_kind()).mean, rtol=1e-3, atol=1e-3)


def test_noise_is_that_of_the_belief(surrogate):
    noise = surrogate.believe(every_kind()).aleatoric_sd

    np.testing.assert_allclose(surrogate.noise_sd().numpy(), noise[0], rtol=1e-5)


@pytest.mark.parametrize("kind", [Linear, SparseGaussianProcess])
def test_the_spread_of_draws_is_the_epistemic_sd(kind):
    surrogate = fitted(kind, problem(draws=4000))

    spread = surrogate.member_means(every_kind()).double().std(dim=0)

    np.testing.assert_allclose(spread, surrogate.believe(every_kind()).epistemic_sd, rtol=0.35)


def test_the_spread_of_trees_holds_the_doubt_about_strangers():
    surrogate = fitted(ExtraTrees)

    spread = surrogate.member_means(every_kind()).double().std(dim=0)

    np.testing.assert_allclose(spread[2], surrogate.believe(every_kind()).epistemic_sd[2], rtol=0.6)


def test_a_state_of_another_surrogate_is_refused():
    with pytest.raises(IncompatibleError, match="'linear' was learned for"):
        ExtraTrees(problem()).restore(fitted(Linear).state())


def test_the_two_hot_process_is_blind_to_urs():
    here = problem()
    urs = here.representations
    other = replace(here, representations=replace(urs, perturbagens=urs.perturbagens[::-1].copy()))

    first, second = (fitted(TwoHotGaussianProcess, each) for each in (here, other))

    np.testing.assert_array_equal(
        first.believe(every_kind()).mean, second.believe(every_kind()).mean
    )
