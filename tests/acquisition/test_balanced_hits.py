"""Hits balanced over the tails."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from acquisition.belief.marginals import Marginals
from acquisition.rules.balanced_hits import TailGains, owed_to_each, tail_chances
from acquisition.rules.expected_hits import ExpectedHits
from loop.domain.errors import InvalidError
from loop.domain.goal import Readout
from loop.ports.engine import BatchRequest, Chosen
from tests.acquisition.asking import ask
from tests.acquisition.gaussian import gaussian_process
from tests.acquisition.linear_draws import LinearDraws, ModelOnly


def _choose(asked: BatchRequest, balance: float) -> Chosen:
    settings = {**asked.settings, "balance": balance}
    return ExpectedHits().choose(replace(asked, settings=settings), np.random.default_rng(0))


def _chances(asked: BatchRequest, addresses: np.ndarray) -> np.ndarray:
    """Low and high tail, shape (2, N)."""
    means = LinearDraws().member_means(asked.space.unrank(addresses))[..., 0]
    beliefs = Marginals(means, None, 0.5)
    low, high = asked.readout.low, asked.readout.high
    return np.stack([beliefs.chance_past(low, np.inf), beliefs.chance_past(-np.inf, high)])


def _lopsided() -> BatchRequest:
    """Ten wells where the low tail is much the likelier."""
    return ask(size=10, readout=Readout("gi", low=-0.5, high=3.5))


@pytest.mark.parametrize("balance", [0.2, 0.5, 0.8, 1.0])
def test_each_tail_gets_its_due_and_no_other_batch_that_does_is_better(balance: float) -> None:
    asked = _lopsided()
    every = np.arange(len(asked.space))
    fine = asked.space.permitted(asked.space.unrank(every))
    on_offer = np.setdiff1d(every[fine], asked.taken)
    low, high = _chances(asked, on_offer)
    owed = int(balance * 5)
    best = [
        np.sort((low + high)[low >= high])[::-1][:lows].sum()
        + np.sort((low + high)[low < high])[::-1][: 10 - lows].sum()
        for lows in range(owed, 10 - owed + 1)
    ]

    chosen = _choose(asked, balance)

    tails = _chances(asked, chosen.addresses)
    assert (tails[0] >= tails[1]).sum() >= owed
    assert (tails[0] < tails[1]).sum() >= owed
    assert tails.sum() == pytest.approx(max(best))
    assert chosen.scores == pytest.approx(tails.sum(axis=0))


def test_without_balance_the_likelier_tail_takes_all() -> None:
    plain = ExpectedHits().choose(_lopsided(), np.random.default_rng(0))
    chosen = _choose(_lopsided(), 0.0)

    assert chosen.addresses.tolist() == plain.addresses.tolist()
    tails = _chances(_lopsided(), chosen.addresses)
    assert (tails[0] >= tails[1]).all()


def test_a_short_list_holds_the_best_of_both_tails() -> None:
    asked = _lopsided()

    whole = _choose(asked, 1.0)
    short = _choose(replace(asked, settings={"pool": 10}), 1.0)

    assert short.addresses.tolist() == whole.addresses.tolist()


def test_dues_go_on_over_several_short_lists() -> None:
    asked = replace(_lopsided(), settings={"pool": 2})
    asked = replace(asked, limits=replace(asked.limits, max_uses=4))

    chosen = _choose(asked, 1.0)

    tails = _chances(asked, chosen.addresses)
    assert (tails[0] >= tails[1]).sum() == 5


def test_a_tail_without_candidates_leaves_its_room_to_the_other() -> None:
    chances = torch.tensor([[0.9, 0.5, 0.4], [0.0, 0.1, 0.3]]).double()
    gains = TailGains(chances[:, :0], chances, owed=1, size=2)

    assert gains.due().all()
    gains.add(0)
    assert not gains.due().any()
    assert gains.values() == pytest.approx([0.9, 0.6, 0.7])


def _without_a_low_tail(threshold: float) -> BatchRequest:
    """Four wells of which two are owed to a tail that no candidate is likelier in."""
    return ask(size=4, readout=Readout("gi", low=-1e3, high=threshold))


def test_choices_out_of_turn_count_for_what_they_are() -> None:
    chosen = _choose(_without_a_low_tail(3.5), 1.0)

    tails = _chances(_without_a_low_tail(3.5), chosen.addresses)
    assert chosen.scores == pytest.approx(tails.sum(axis=0))
    assert chosen.contributions == pytest.approx(chosen.scores / chosen.scores.sum())
    assert not any("under 0.1 %" in reason for reason in chosen.reasons)


def test_certain_hits_out_of_turn_stay_certain() -> None:
    chosen = _choose(_without_a_low_tail(-500.0), 1.0)

    assert chosen.scores.tolist() == [1.0] * 4
    assert chosen.contributions.tolist() == [0.25] * 4


def test_the_budget_does_not_buy_more_hits_with_what_a_tail_is_owed() -> None:
    asked = _lopsided()
    costs = np.array([4.0, 4, 6, 8, 0, 1, 7, 8, 2])
    dear = replace(asked, limits=replace(asked.limits, costs=costs, money=50.0))

    chosen = _choose(dear, 1.0)

    tails = _chances(asked, chosen.addresses)
    assert (tails[0] >= tails[1]).sum() == 5
    assert costs[asked.space.unrank(chosen.addresses).components].sum() <= 50.0


def test_a_one_sided_readout_has_no_tails_to_balance() -> None:
    assert owed_to_each(Readout("gi", high=2.0), 1.0, 10) == 0
    assert owed_to_each(Readout("gi", low=-1.0, high=2.0), 1.0, 11) == 5
    assert owed_to_each(Readout("gi", low=-1.0, high=2.0), 0.5, 10) == 2


def test_chances_of_the_tails_are_means_over_draws() -> None:
    values = torch.tensor([[-1.0, 5.0], [0.0, 5.0]]).double()

    chances = tail_chances(values, Readout("gi", low=-1.0, high=2.0), 1.0)

    assert chances[0].tolist() == pytest.approx([(0.5 + 0.15865525) / 2, 0.0], abs=1e-6)
    assert chances[1].tolist() == pytest.approx([(0.0013499 + 0.02275013) / 2, 0.9986501], abs=1e-6)


def test_a_model_without_members_is_balanced_by_its_draws() -> None:
    asked = replace(_lopsided(), surrogate=ModelOnly(gaussian_process()))

    chosen = _choose(asked, 1.0)

    assert len(set(chosen.addresses.tolist())) == 10


@pytest.mark.parametrize("balance", [-0.1, 1.1, True, "half"])
def test_a_share_that_is_none_is_refused(balance: float) -> None:
    with pytest.raises(InvalidError, match=r"'balance' .* at least 0 and at most 1"):
        ExpectedHits().check({"balance": balance})
