"""Max variance: what foreseen measurements leave, against the dense formula."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from acquisition.rules.max_variance import MaxVariance, VarianceGains
from loop.domain.goal import Goal
from tests.acquisition.asking import ask, nothing_pending


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1), noise=st.floats(0.05, 2.0))
def test_what_is_left_is_the_variance_of_the_conditioned_gaussian(seed: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    draws = torch.from_numpy(rng.normal(size=(9, 7)))
    pending, pool, picks = draws[:, :2], draws[:, 2:], [4, 1]
    gains = VarianceGains(noise, pending, pool)
    for position in picks:
        gains.add(position)

    covariance = np.cov(draws.numpy(), rowvar=False)
    seen, rest = [0, 1, 6, 3], [2, 3, 4, 5, 6]
    inner = np.linalg.inv(covariance[np.ix_(seen, seen)] + noise**2 * np.eye(4))
    cross = covariance[np.ix_(rest, seen)]
    exact = np.diag(covariance)[rest] - np.einsum("ij,jk,ik->i", cross, inner, cross)
    assert gains.values() == pytest.approx(np.sqrt(exact), abs=1e-7)


def test_a_twin_of_what_was_chosen_is_left_for_later() -> None:
    twin = torch.tensor([[3.0, 3.0, 0.0], [-3.0, -3.0, 2.0], [0.0, 0.0, -2.0]]).double()
    gains = VarianceGains(0.1, twin[:, :0], twin)

    gains.add(0)

    assert gains.values().argmax() == 2
    assert gains.values()[1] < 0.1


def test_members_that_agree_on_everything_and_no_noise_leave_nothing() -> None:
    gains = VarianceGains(0.0, torch.zeros(3, 0).double(), torch.ones(3, 2).double())

    gains.add(0)

    assert gains.values().tolist() == [0.0, 0.0]


def test_scores_never_rise_along_the_batch_and_pending_wells_are_believed() -> None:
    asked = ask(Goal.LEARN_MAP, size=8)
    blind = ask(Goal.LEARN_MAP, size=8, pending=nothing_pending())

    one = MaxVariance().choose(asked, np.random.default_rng(0))
    two = MaxVariance().choose(blind, np.random.default_rng(0))

    assert (np.diff(one.scores) <= 1e-12).all()
    assert one.scores[0] < two.scores[0]
    assert "own doubt" in one.reasons[0]
