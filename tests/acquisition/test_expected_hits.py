"""Expected hits: members and noise integrated, the best batch by plain ranking."""

import math

import numpy as np
import pytest
import torch
from botorch.acquisition.objective import GenericMCObjective
from torch import Tensor

from acquisition.rules.expected_hits import ExpectedHits
from acquisition.rules.q_expected_hits import QExpectedHits
from loop.domain.errors import InvalidError
from loop.domain.goal import Goal, Readout
from tests.acquisition.asking import ask
from tests.acquisition.every_member import EveryMember
from tests.acquisition.linear_draws import LinearDraws


def test_the_scores_add_up_to_the_hits_that_botorch_expects_of_the_batch() -> None:
    asked = ask(size=7)
    reference = QExpectedHits(
        LinearDraws().model(), -1.5, 2.0, noise_sd=0.5, sampler=EveryMember(6)
    )

    chosen = ExpectedHits().choose(asked, np.random.default_rng(0))

    rows = torch.from_numpy(asked.space.unrank(chosen.addresses).features())
    assert float(reference(rows[None])) == pytest.approx(chosen.scores.sum(), rel=1e-5)


def test_no_other_batch_is_expected_to_hold_more_hits() -> None:
    asked = ask(size=5)
    reference = QExpectedHits(
        LinearDraws().model(), -1.5, 2.0, noise_sd=0.5, sampler=EveryMember(6)
    )
    every = np.arange(len(asked.space))
    on_offer = every[asked.space.permitted(asked.space.unrank(every))]
    on_offer = np.setdiff1d(on_offer, asked.taken)
    rows = torch.from_numpy(asked.space.unrank(on_offer).features())

    chosen = ExpectedHits().choose(asked, np.random.default_rng(0))

    best = reference(rows[:, None]).topk(5).values.sum()
    assert chosen.scores.sum() == pytest.approx(float(best), rel=1e-5)


def _nothing(values: Tensor, X: Tensor | None = None) -> Tensor:  # noqa: N803
    return 0 * values[..., 0]


def test_the_objective_says_which_readout_is_meant() -> None:
    both = QExpectedHits(
        LinearDraws().model(),
        -math.inf,
        0.0,
        noise_sd=1.0,
        sampler=EveryMember(6),
        objective=GenericMCObjective(_nothing),
    )

    assert float(both(torch.zeros(1, 3, 5, dtype=torch.float64))) == pytest.approx(1.5)


@pytest.mark.parametrize("goal", [Goal.MAXIMIZE, Goal.MINIMIZE, Goal.LEARN_MAP])
def test_other_goals_are_refused(goal: Goal) -> None:
    with pytest.raises(InvalidError, match="only 'find-hits'"):
        ExpectedHits().choose(ask(goal), np.random.default_rng(0))


def test_a_readout_without_thresholds_is_refused() -> None:
    with pytest.raises(InvalidError, match="needs a threshold for readout 'gi'"):
        ExpectedHits().choose(ask(readout=Readout("gi")), np.random.default_rng(0))
