"""Beliefs one by one: chances worked by hand, and their laws."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from acquisition.belief.marginals import Marginals
from loop.domain.errors import IncompatibleError


def _of(*means: list[float], within: list[float] | None = None, noise: float = 1.0) -> Marginals:
    wide = None if within is None else torch.tensor(within, dtype=torch.float64)
    return Marginals(torch.tensor(means, dtype=torch.float64), wide, noise)


def test_a_chance_is_the_mean_over_members_of_both_tails() -> None:
    beliefs = _of([0.0], [2.0])

    chance = beliefs.chance_past(-1.0, 1.0)

    # Phi(-1) + 1 - Phi(1) = 0.317311; Phi(-3) + 1 - Phi(-1) = 0.842694
    assert float(chance) == pytest.approx((0.317311 + 0.842694) / 2, abs=1e-5)


def test_a_gaussian_posterior_and_its_noise_add_up() -> None:
    beliefs = _of([0.0], within=[3.0], noise=4.0)

    assert float(beliefs.chance_past(-math.inf, 5.0)) == pytest.approx(0.158655, abs=1e-5)
    assert float(beliefs.sd) == pytest.approx(5.0)
    assert float(beliefs.epistemic_sd) == pytest.approx(3.0)


def test_without_noise_a_chance_is_the_share_of_members_past_a_threshold() -> None:
    beliefs = _of([0.0, 5.0], [2.0, 5.0], noise=0.0)

    assert beliefs.chance_past(-math.inf, 1.0).tolist() == [0.5, 1.0]


@given(
    members=st.lists(st.floats(-50, 50), min_size=1, max_size=8),
    noise=st.floats(0, 10),
    low=st.floats(-20, 0),
    width=st.floats(0.01, 20),
)
def test_a_chance_lies_between_nothing_and_certainty(
    members: list[float], noise: float, low: float, width: float
) -> None:
    beliefs = _of(*([each] for each in members), noise=noise)

    chance = float(beliefs.chance_past(low, low + width))

    assert -1e-12 <= chance <= 1 + 1e-12


def test_the_quantiles_of_a_gaussian_have_its_mean_and_nearly_its_spread() -> None:
    members = _of([1.0], within=[2.0]).members()

    assert float(members.mean()) == pytest.approx(1.0)
    assert float(members.std()) == pytest.approx(2.0, rel=0.05)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_beliefs_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(IncompatibleError, match="retrain it"):
        _of([0.0, bad])
    with pytest.raises(IncompatibleError, match="retrain it"):
        _of([0.0, 0.0], within=[0.0, bad])
