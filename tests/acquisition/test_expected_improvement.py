"""Log expected improvement: BoTorch's value, chosen incrementally."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from botorch.acquisition.logei import qLogExpectedImprovement
from botorch.acquisition.objective import GenericMCObjective
from botorch.optim.optimize import optimize_acqf_discrete
from scipy.special import logsumexp
from torch import Tensor

from acquisition.rules.expected_improvement import ImprovementGains, LogExpectedImprovement
from loop.domain.errors import InvalidError
from loop.domain.goal import Goal
from loop.ports.arrays import IntArray
from loop.ports.engine import BatchRequest, Chosen
from tests.acquisition.asking import ask, nothing_pending
from tests.acquisition.every_member import EveryMember
from tests.acquisition.linear_draws import LinearDraws

MEMBERS = 24
"""At least 4 q, so that the members themselves are the draws."""


def _many() -> LinearDraws:
    return LinearDraws(members=MEMBERS)


def _exactly(best: float) -> qLogExpectedImprovement:
    """BoTorch's value of a batch over every member."""
    return qLogExpectedImprovement(
        _many().model(), best_f=best, sampler=EveryMember(MEMBERS), fat=False
    )


def _choose(asked: BatchRequest) -> Chosen:
    return LogExpectedImprovement().choose(asked, np.random.default_rng(1))


def _rows(asked: BatchRequest, addresses: IntArray) -> torch.Tensor:
    return torch.from_numpy(asked.space.unrank(addresses).features())


def _on_offer(asked: BatchRequest) -> IntArray:
    every = np.arange(len(asked.space))
    return np.setdiff1d(every[asked.space.permitted(asked.space.unrank(every))], asked.taken)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_first_score_is_botorchs_log_expected_improvement(sign: float) -> None:
    goal = Goal.MAXIMIZE if sign > 0 else Goal.MINIMIZE
    asked = ask(goal, pending=nothing_pending(), best=sign * 1.5, surrogate=_many(), size=3)

    def readout(values: Tensor, X: Tensor | None = None) -> Tensor:  # noqa: N803
        return sign * values[..., 0]

    reference = qLogExpectedImprovement(
        _many().model(),
        best_f=1.5,
        sampler=EveryMember(MEMBERS),
        objective=GenericMCObjective(readout),
        fat=False,
    )

    chosen = _choose(asked)

    on_offer = _on_offer(asked)
    values = reference(_rows(asked, on_offer)[:, None])
    assert chosen.addresses[0] == on_offer[int(values.argmax())]
    assert chosen.scores[0] == pytest.approx(float(values.max()), abs=1e-12)


@pytest.mark.parametrize("best", [-1.0, 1.5, 60.0])
def test_the_batchs_value_is_botorchs_pending_wells_included(best: float) -> None:
    asked = ask(Goal.MAXIMIZE, size=6, best=best, surrogate=_many())
    pending = torch.from_numpy(asked.pending.features())
    reference = _exactly(best)

    chosen = _choose(asked)

    rows = _rows(asked, chosen.addresses)
    together = reference(torch.cat([pending, rows])[None])
    ours = logsumexp([float(reference(pending[None])), *chosen.scores])
    assert ours == pytest.approx(float(together), rel=1e-12, abs=1e-9)


def test_every_pick_adds_the_most_that_botorch_knows_of() -> None:
    asked = ask(Goal.MAXIMIZE, size=5, best=1.0, surrogate=_many())
    reference, on_offer = _exactly(1.0), _on_offer(asked)
    before = torch.from_numpy(asked.pending.features())

    for address in _choose(asked).addresses:
        rows = _rows(asked, on_offer)
        batches = torch.cat([before.expand(len(rows), -1, -1), rows[:, None]], dim=1)
        values = reference(batches)
        assert float(values[on_offer == address]) >= float(values.max()) - 1e-12
        before = torch.cat([before, _rows(asked, np.array([address]))])
        on_offer = on_offer[on_offer != address]


def test_botorchs_own_greedy_choice_is_the_same() -> None:
    asked = ask(Goal.MAXIMIZE, size=4, best=1.0, pending=nothing_pending(), surrogate=_many())
    rows = _rows(asked, _on_offer(asked))
    theirs, _ = optimize_acqf_discrete(_exactly(1.0), q=4, choices=rows)

    ours = _rows(asked, _choose(asked).addresses)

    assert ours.tolist() == theirs.tolist()


def test_gains_never_grow_and_bounds_hold_whatever_the_scale() -> None:
    rng = np.random.default_rng(3)
    for scale in (1e-6, 1.0, 1e4):
        pool = torch.from_numpy(scale * rng.normal(size=(12, 40)))
        gains = ImprovementGains(pool[:, :3], pool, best=0.4 * scale)
        before = gains.bounds()
        for position in range(0, 40, 4):
            values = gains.values()
            assert (values <= before + 1e-9 * np.abs(before)).all()
            assert np.isfinite(values).all()
            before = values
            gains.add(position)


def test_draws_of_float32_give_the_gains_of_float64_within_rounding() -> None:
    pool = torch.randn(64, 200, generator=torch.Generator().manual_seed(5))
    single = ImprovementGains(pool[:, :0], pool, best=1.0)
    double = ImprovementGains(pool[:, :0].double(), pool.double(), best=1.0)
    for gains in (single, double):
        gains.add(7)

    assert single.values() == pytest.approx(double.values(), rel=1e-6)


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

    # The p-norm of a draw with two equal improvements of 2.5 is 2^(1/100) times as large.
    twice = 2.5 * (2**0.01 - 1) / 2
    assert np.exp(gains.values()) == pytest.approx([0.75, 0.25, twice], abs=1e-5)


def test_a_favourite_of_one_member_is_found_though_the_marginal_list_is_short() -> None:
    asked = ask(Goal.MAXIMIZE, size=4, pending=nothing_pending())
    members = LinearDraws()
    draws = members.member_means(asked.space.unrank(_on_offer(asked)))[..., 0]
    best = float(draws.amax(dim=1).min()) - 0.1  # every member knows one that improves

    asked = replace(asked, best=best, size=6)
    short, long = (replace(asked, settings={"draws": 6, **pool}) for pool in ({"pool": 6}, {}))

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
