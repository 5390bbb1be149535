"""Integrated variance and EPIG against covariances worked by hand and by brute force."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from acquisition.rules.epig import Epig, EpigGains
from acquisition.rules.integrated_variance import IntegratedVariance, IntegratedVarianceGains
from acquisition.rules.map_learning import drawn_evenly
from loop.domain.goal import Goal, Readout
from loop.space import VirtualSpace
from tests.acquisition.asking import ask, nothing_pending
from tests.acquisition.gaussian import gaussian_process
from tests.acquisition.linear_draws import LinearDraws, ModelOnly
from tests.acquisition.several_readouts import SeveralReadouts

BOTH = [IntegratedVariance(), Epig()]


def _three_by_hand() -> torch.Tensor:
    """Four draws of three candidates; variances 4, 1, 9 and covariances 2, 0, 0.

    The second is half the first and half its own; the third is by itself.
    """
    one = torch.tensor([1.0, 1.0, -1.0, -1.0]).double() * 3**0.5
    other = torch.tensor([1.0, -1.0, 1.0, -1.0]).double() * 3**0.5
    third = torch.tensor([1.0, -1.0, -1.0, 1.0]).double() * 3**0.5
    # Centred columns divided by root 3 have length 2: halve them for unit variance.
    one, other, third = one / 2, other / 2, third / 2
    return torch.stack([2 * one, one + 0 * other, 3 * third], dim=1)


def test_integrated_variance_is_what_a_hand_works_out() -> None:
    draws = _three_by_hand()
    gains = IntegratedVarianceGains(1.0, draws, draws)

    # A well of the first (variance 4 + noise 1) takes 16/5 off the first and 4/5 off the second;
    # of the second (1 + 1) 4/2 and 1/2; of the third (9 + 1) 81/10. There are 14 in all.
    assert gains.values() == pytest.approx(np.array([4.0, 2.5, 8.1]) / 14)

    gains.add(2)
    assert gains.values() == pytest.approx(np.array([4.0, 2.5, 0.81 / 1.9]) / 14)


def test_epig_is_what_a_hand_works_out() -> None:
    draws = _three_by_hand()
    gains = EpigGains(1.0, draws, draws)

    # Squared correlations of wells: 16/25 and 4/10 for the first, 4/10 and 1/4, 81/100.
    exact = [
        -0.5 * (np.log(1 - 16 / 25) + np.log(1 - 4 / 10)) / 3,
        -0.5 * (np.log(1 - 4 / 10) + np.log(1 - 1 / 4)) / 3,
        -0.5 * np.log(1 - 81 / 100) / 3,
    ]
    assert gains.values() == pytest.approx(exact)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), noise=st.floats(0.1, 2.0))
def test_gains_are_those_of_the_conditioned_gaussian(seed: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    draws = torch.from_numpy(rng.normal(size=(12, 9)))
    judged, pool, picks = draws[:, :4], draws[:, 4:], [3, 0, 3]
    integrated, nats = (make(noise, judged, pool) for make in (IntegratedVarianceGains, EpigGains))
    left = np.cov(draws.numpy(), rowvar=False)
    before = np.diag(left)[:4].sum()

    for position in picks:
        _check(left, noise, before, integrated, nats)
        integrated.add(position)
        nats.add(position)
        left = _conditioned(left, 4 + position, noise)
    _check(left, noise, before, integrated, nats)


def _conditioned(covariance: np.ndarray, at: int, noise: float) -> np.ndarray:
    column = covariance[:, at]
    return covariance - np.outer(column, column) / (covariance[at, at] + noise**2)


def _check(
    left: np.ndarray,
    noise: float,
    before: float,
    integrated: IntegratedVarianceGains,
    nats: EpigGains,
) -> None:
    """Every candidate of the pool by brute force: condition on it, and look at the judged."""
    taken = [
        np.trace(left[:4, :4]) - np.trace(_conditioned(left, x, noise)[:4, :4]) for x in range(4, 9)
    ]
    told = [
        0.5
        * np.mean(
            np.log(np.diag(left)[:4] + noise**2)
            - np.log(np.diag(_conditioned(left, x, noise))[:4] + noise**2)
        )
        for x in range(4, 9)
    ]
    assert integrated.values() == pytest.approx(np.array(taken) / before, abs=1e-9)
    assert nats.values() == pytest.approx(told, abs=1e-9)


def test_members_that_agree_on_everything_leave_nothing_to_learn() -> None:
    same = torch.ones(3, 2).double()

    for make in (IntegratedVarianceGains, EpigGains):
        gains = make(0.0, same, same)
        gains.add(0)
        assert gains.values().tolist() == [0.0, 0.0]


@pytest.mark.parametrize("noise", [0.0, 1e-9, 1e-7])
@pytest.mark.parametrize("make", [IntegratedVarianceGains, EpigGains])
def test_rounding_tells_nothing_once_as_many_wells_as_draws_have_told_all(
    make: type[IntegratedVarianceGains] | type[EpigGains], noise: float
) -> None:
    """Six draws leave five directions to doubt; the sixth well and all after it have none."""
    rng = np.random.default_rng(1)
    judged, pool = (torch.from_numpy(rng.normal(size=(6, width))) for width in (20, 40))
    gains = make(noise, judged, pool)

    for position in range(5):
        assert gains.values()[position:].min() > 0
        gains.add(position)
    for position in range(5, 9):
        assert gains.values().tolist() == [0.0] * 40
        gains.add(position)


@pytest.mark.parametrize("acquisition", BOTH)
@pytest.mark.parametrize("surrogate", [LinearDraws(), ModelOnly(gaussian_process())])
def test_a_pending_well_is_believed_and_not_asked_for_again(
    acquisition: Epig | IntegratedVariance, surrogate: LinearDraws | ModelOnly
) -> None:
    blind = ask(Goal.LEARN_MAP, size=1, surrogate=surrogate, pending=nothing_pending())
    first = acquisition.choose(blind, np.random.default_rng(0))

    asked = replace(blind, pending=blind.space.unrank(first.addresses))
    then = acquisition.choose(asked, np.random.default_rng(0))

    assert then.addresses.tolist() != first.addresses.tolist()
    assert then.scores[0] < first.scores[0]
    assert "own doubt" in then.reasons[0]


@pytest.mark.parametrize(("acquisition", "pool"), [(IntegratedVariance(), 1), (Epig(), 12)])
def test_the_first_pick_is_the_best_of_all_and_stage_one_lists_it(
    acquisition: Epig | IntegratedVariance, pool: int
) -> None:
    """Exactly for variance, to first order for nats; pending wells are believed there too."""
    asked = ask(Goal.LEARN_MAP, size=1)
    short = replace(asked, settings={"pool": pool})

    one = acquisition.choose(asked, np.random.default_rng(0))
    two = acquisition.choose(short, np.random.default_rng(0))

    assert two.addresses.tolist() == one.addresses.tolist()


@pytest.mark.parametrize("acquisition", BOTH)
def test_rescaling_a_readout_changes_nothing(acquisition: Epig | IntegratedVariance) -> None:
    readouts = (Readout("a"), Readout("b"))
    plain = ask(Goal.LEARN_MAP, surrogate=SeveralReadouts([1.0, 1.0]), readouts=readouts)
    scaled = replace(plain, surrogate=SeveralReadouts([1.0, -64.0]))

    one = acquisition.choose(plain, np.random.default_rng(0))
    two = acquisition.choose(scaled, np.random.default_rng(0))

    assert one.addresses.tolist() == two.addresses.tolist()
    assert one.scores == pytest.approx(two.scores)


def test_the_judged_are_permitted_distinct_and_evenly_spread() -> None:
    space = VirtualSpace([2] * 60, 3, (1, 2), forbidden=[{0, 1}])

    judged = drawn_evenly(space, 500, np.random.default_rng(0))

    addresses = space.rank(judged)
    assert 480 <= len(set(addresses.tolist())) == len(judged) <= 510
    assert space.permitted(judged).all()
    per_context = np.bincount(judged.contexts)
    assert per_context.min() > 0.8 * per_context.max()


def test_a_small_library_is_judged_whole() -> None:
    space = ask().space

    assert len(drawn_evenly(space, 512, np.random.default_rng(0))) == space.on_offer()
