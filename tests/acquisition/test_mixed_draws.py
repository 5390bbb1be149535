"""More draws than members, with the members' mean and covariance."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from acquisition.belief.mixed_draws import enough_draws, mixed
from acquisition.belief.sound_draws import sound
from acquisition.rules.expected_improvement import LogExpectedImprovement
from loop.domain.errors import IncompatibleError
from loop.domain.goal import Goal
from tests.acquisition.asking import ask
from tests.acquisition.linear_draws import LinearDraws


def _members(count: int = 5, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    loadings = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    spread = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    return (spread @ loadings + torch.arange(4.0))[..., None]


def test_mixtures_have_the_members_mean_and_covariance() -> None:
    members = _members()

    draws = mixed(members, 40_000, seed=3)

    assert draws.mean(dim=0) == pytest.approx(members.mean(dim=0).numpy(), abs=1e-12)
    want = np.cov(members[..., 0].numpy(), rowvar=False)
    got = np.cov(draws[..., 0].numpy(), rowvar=False)
    # The SD of a covariance of n draws is about its size times sqrt(2 / n).
    assert got == pytest.approx(want, abs=5 * np.abs(want).max() * np.sqrt(2 / 40_000))


def test_mixtures_come_in_pairs_mirrored_at_the_mean() -> None:
    members = _members()

    draws = mixed(members, 7, seed=3)

    assert draws.shape == (8, 4, 1)
    middle = (draws[:4] + draws[4:]) / 2
    assert torch.allclose(middle, members.mean(dim=0).expand_as(middle))


def test_a_candidates_draws_do_not_hang_on_who_else_is_asked_for() -> None:
    members = _members()

    alone, among = mixed(members[:, 2:3], 64, seed=3), mixed(members, 64, seed=3)

    assert torch.allclose(alone, among[:, 2:3])


def test_one_member_mixes_to_itself() -> None:
    members = _members(count=1)

    assert torch.equal(mixed(members, 4, seed=0), members.expand(4, -1, -1))


@pytest.mark.parametrize(("size", "count", "drawn"), [(1, 64, 5), (2, 64, 64), (2, 4, 5)])
def test_members_are_kept_where_they_are_enough(size: int, count: int, drawn: int) -> None:
    assert len(enough_draws(_members(), size, count, seed=1)) == drawn


def test_a_committee_smaller_than_the_batch_still_tells_candidates_apart() -> None:
    asked = ask(Goal.MAXIMIZE, surrogate=LinearDraws(members=3), size=12, best=2.5)
    members = replace(asked, settings={"draws": 3})

    mixtures = LogExpectedImprovement().choose(asked, np.random.default_rng(0)).scores
    plain = LogExpectedImprovement().choose(members, np.random.default_rng(0)).scores

    # Nothing adds much to the favourites of all three members.
    assert np.exp(mixtures[3:6]).min() > 10 * np.exp(plain[3:6]).max()


def test_draws_that_are_no_numbers_are_refused_by_the_draws_number() -> None:
    draws = _members()
    draws[2, 1] = torch.nan

    with pytest.raises(IncompatibleError, match="Member or draw 3 of the surrogate"):
        sound(draws)
