"""Log expected improvement: BoTorch's value, chosen incrementally."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from botorch.acquisition.logei import qLogExpectedImprovement
from botorch.acquisition.monte_carlo import qExpectedImprovement
from botorch.acquisition.objective import GenericMCObjective
from botorch.optim.optimize import optimize_acqf_discrete
from torch import Tensor

from acquisition.expected_improvement import ImprovementGains, LogExpectedImprovement
from loop.domain.errors import InvalidError
from loop.domain.goal import Goal
from loop.ports.arrays import IntArray
from loop.ports.engine import BatchRequest, Chosen
from tests.acquisition.asking import ask, nothing_pending
from tests.acquisition.every_member import EveryMember
from tests.acquisition.linear_draws import LinearDraws

MEMBERS = 6

pytestmark = pytest.mark.filterwarnings("ignore:qExpectedImprovement has known numerical")


def _choose(asked: BatchRequest) -> Chosen:
    return LogExpectedImprovement().choose(asked, np.random.default_rng(1))


def _rows(asked: BatchRequest, addresses: IntArray) -> torch.Tensor:
    return torch.from_numpy(asked.space.unrank(addresses).features())


def _on_offer(asked: BatchRequest) -> IntArray:
    every = np.arange(len(asked.space))
    return np.setdiff1d(every[asked.space.permitted(asked.space.unrank(every))], asked.taken)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_first_score_is_botorchs_log_expected_improvement(sign: float) -> None:
    asked = ask(
        Goal.MAXIMIZE if sign > 0 else Goal.MINIMIZE, pending=nothing_pending(), best=sign * 1.5
    )

    def readout(values: Tensor, X: Tensor | None = None) -> Tensor:  # noqa: N803
        return sign * values[..., 0]

    reference = qLogExpectedImprovement(
        LinearDraws().model(),
        best_f=1.5,
        sampler=EveryMember(MEMBERS),
        objective=GenericMCObjective(readout),
    )

    chosen = _choose(asked)

    on_offer = _on_offer(asked)
    values = reference(_rows(asked, on_offer)[:, None])
    assert chosen.addresses[0] == on_offer[int(values.argmax())]
    assert chosen.scores[0] == pytest.approx(float(values.max()), abs=1e-12)


def test_the_scores_add_up_to_botorchs_improvement_of_the_batch_given_what_is_pending() -> None:
    asked = ask(Goal.MAXIMIZE, size=5, best=1.5)
    pending = torch.from_numpy(asked.pending.features())
    sampler = EveryMember(MEMBERS)
    reference = qExpectedImprovement(LinearDraws().model(), best_f=1.5, sampler=sampler)

    chosen = _choose(asked)

    rows = _rows(asked, chosen.addresses)
    with_pending = reference(torch.cat([pending, rows])[None])
    added = float(with_pending - reference(pending[None]))
    assert np.exp(chosen.scores).sum() == pytest.approx(added, abs=1e-5)


def test_the_batch_is_as_good_as_botorchs_own_greedy_choice() -> None:
    asked = ask(Goal.MAXIMIZE, size=4, best=1.0, pending=nothing_pending())
    model, sampler = LinearDraws().model(), EveryMember(MEMBERS)
    rows = _rows(asked, _on_offer(asked))
    theirs, _ = optimize_acqf_discrete(
        qLogExpectedImprovement(model, best_f=1.0, sampler=sampler), q=4, choices=rows
    )
    exact = qExpectedImprovement(model, best_f=1.0, sampler=sampler)

    ours = _rows(asked, _choose(asked).addresses)

    assert float(exact(ours[None])) >= float(exact(theirs[None])) - 1e-3


def test_a_pending_favourite_makes_the_first_choice_another() -> None:
    asked = ask(Goal.MAXIMIZE, pending=nothing_pending())
    favourite = _choose(asked).addresses[:1]

    believed = replace(
        asked, pending=asked.space.unrank(favourite), taken=np.union1d(asked.taken, favourite)
    )

    assert _choose(believed).scores[0] < _choose(replace(asked, taken=believed.taken)).scores[0]


def test_gains_worked_by_hand() -> None:
    pool = torch.tensor([[2.0, 1.0, 0.0], [0.0, 1.0, 3.0]], dtype=torch.float64)
    gains = ImprovementGains(pool[:, :0], pool, best=0.5)

    assert np.exp(gains.values()) == pytest.approx([0.75, 0.5, 1.25], abs=1e-5)

    gains.add(2)

    assert np.exp(gains.values()) == pytest.approx([0.75, 0.25, 0.0], abs=1e-5)


def test_a_favourite_of_one_member_is_found_though_the_marginal_list_is_short() -> None:
    asked = ask(Goal.MAXIMIZE, size=4, pending=nothing_pending())
    members = LinearDraws()
    draws = members.member_means(asked.space.unrank(_on_offer(asked)))[..., 0]
    best = float(draws.amax(dim=1).min()) - 0.1  # every member knows one that improves

    short = replace(asked, settings={"pool": 6}, best=best, size=6)
    long = replace(asked, best=best, size=6)

    assert np.exp(_choose(short).scores).sum() == pytest.approx(
        np.exp(_choose(long).scores).sum(), abs=1e-6
    )


def test_without_any_observation_there_is_nothing_to_improve_on() -> None:
    with pytest.raises(InvalidError, match="Nothing has been observed of readout 'gi'"):
        _choose(ask(Goal.MAXIMIZE, best=None))


@pytest.mark.parametrize("goal", [Goal.FIND_HITS, Goal.LEARN_MAP])
def test_goals_without_a_direction_are_refused(goal: Goal) -> None:
    with pytest.raises(InvalidError, match="only 'maximize' and 'minimize'"):
        _choose(ask(goal))
