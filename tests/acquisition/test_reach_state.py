"""Reach state: distances worked by hand, and laws of units and weights."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from acquisition.belief.marginals import Marginals
from acquisition.rules.reach_state import ReachState, State
from loop.domain.errors import InvalidError
from loop.domain.goal import Goal, Readout
from loop.ports.engine import BatchRequest
from tests.acquisition.asking import ask
from tests.acquisition.linear_draws import ModelOnly
from tests.acquisition.several_readouts import SeveralReadouts, observed, two_processes

VALUES = np.array([[1.0, -2.0], [-1.0, 2.0], [3.0, 0.0], [-3.0, 0.0]])


def state_question(scales: tuple[float, float] = (1.0, 1.0), **changes: Any) -> BatchRequest:
    """Four of the small space that come near (1, -1), units scaled."""
    fields: dict[str, Any] = {
        "surrogate": SeveralReadouts(scales),
        "readouts": (Readout("a", target=scales[0]), Readout("b", target=-scales[1])),
        "training": observed(VALUES, scales, [7, 8, 20, 71]),
        "best": None,
    }
    return ask(Goal.REACH_STATE, **(fields | changes))


def _certain(value: float) -> Marginals:
    return Marginals(torch.tensor([[value]]).double(), None, 0.5)


def test_a_distance_is_the_weighed_mean_square_miss_in_sds() -> None:
    """Misses of 2 SDs of weight 3 and 4 SDs of weight 1: (3 x 4 + 1 x 16) / 4 = 7."""
    readouts = [Readout("a", target=1.0, weight=3.0), Readout("b", target=0.0, weight=1.0)]
    state = State.of(readouts, np.array([0.5, 2.0]))

    away = state.distance((_certain(2.0), _certain(-8.0)))

    assert away.expected.tolist() == pytest.approx([7**0.5])
    assert away.doubt.tolist() == [0.0]
    assert state.nearest(np.array([[9.0, 9.0], [2.0, -8.0]])) == pytest.approx(7**0.5)


def test_doubt_is_distance_and_chance() -> None:
    """Two members at 1 and 3 from the state: squares 1 and 9, mean 5, SD 32 ^ 0.5."""
    state = State.of([Readout("a", target=0.0)], np.array([1.0]))
    members = Marginals(torch.tensor([[1.0], [3.0]]).double(), None, 0.5)

    away = state.distance((members,))

    assert away.expected.tolist() == pytest.approx([5**0.5])
    assert away.doubt.tolist() == pytest.approx([32**0.5 / (2 * 5**0.5)])
    assert away.hoped_for(0.5).tolist() == pytest.approx([5**0.5 - 0.25 * (32 / 5) ** 0.5])


def test_moments_of_a_gaussian_belief_are_those_of_many_draws() -> None:
    state = State.of([Readout("a", target=0.3), Readout("b", target=-1.0)], np.array([1.0, 2.0]))
    rng = np.random.default_rng(0)
    means, sds = np.array([1.0, 0.5]), np.array([0.7, 1.1])
    values = means + sds * rng.normal(size=(400_000, 2))
    square = ((values[:, 0] - 0.3) ** 2 + ((values[:, 1] + 1.0) / 2) ** 2) / 2

    beliefs = tuple(
        Marginals(torch.tensor([[mean]]), torch.tensor([sd]), 0.0)
        for mean, sd in zip(means, sds, strict=True)
    )
    away = state.distance(beliefs)

    assert float(away.expected[0]) == pytest.approx(square.mean() ** 0.5, rel=0.01)
    assert float(away.doubt[0]) == pytest.approx(
        square.std() / (2 * square.mean() ** 0.5), rel=0.01
    )


@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_the_nearest_of_all_are_chosen(beta: float) -> None:
    asked = state_question(settings={"beta": beta})
    every = np.arange(len(asked.space))
    fine = asked.space.permitted(asked.space.unrank(every))
    on_offer = np.setdiff1d(every[fine], asked.taken)
    members = asked.surrogate.member_means(asked.space.unrank(on_offer)).numpy()
    sds = VALUES.std(axis=0, ddof=1)
    square = (((members - np.array([1.0, -1.0])) / sds) ** 2).mean(axis=2)
    root = np.sqrt(square.mean(axis=0))
    hoped = root - beta * square.std(axis=0, ddof=1) / (2 * root)

    chosen = ReachState().choose(asked, np.random.default_rng(0))

    assert chosen.addresses.tolist() == on_offer[np.argsort(hoped)][:4].tolist()
    assert -chosen.scores == pytest.approx(np.sort(hoped)[:4], rel=1e-5)


def test_the_reason_tells_the_distance_and_the_nearest_so_far() -> None:
    chosen = ReachState().choose(state_question(), np.random.default_rng(0))

    # SDs 2.58 and 1.63; (1, -2) is the nearest: (1 / 1.63) ^ 2 / 2 = 0.1875.
    assert " SD from the wanted state (nearest observed so far: 0.43); rank" in chosen.reasons[0]


def test_before_anything_is_observed_a_miss_counts_in_sds_of_noise() -> None:
    chosen = ReachState().choose(state_question(training=None), np.random.default_rng(0))
    scaled = ReachState().choose(
        state_question((3.0, 0.25), training=None), np.random.default_rng(0)
    )

    assert "from the wanted state; rank" in chosen.reasons[0]
    assert scaled.addresses.tolist() == chosen.addresses.tolist()


def test_rescaling_and_negating_readouts_changes_nothing() -> None:
    one = ReachState().choose(state_question(), np.random.default_rng(0))
    two = ReachState().choose(state_question((-64.0, 0.125)), np.random.default_rng(0))

    assert one.addresses.tolist() == two.addresses.tolist()
    assert one.scores == pytest.approx(two.scores)


def test_a_readout_without_a_wanted_value_does_not_count() -> None:
    asked = state_question()
    one = replace(asked, readouts=(asked.readouts[0], Readout("b")))
    two = replace(asked, readouts=(asked.readouts[0], replace(asked.readouts[1], weight=1e-12)))

    first = ReachState().choose(one, np.random.default_rng(0))
    second = ReachState().choose(two, np.random.default_rng(0))

    assert first.addresses.tolist() == second.addresses.tolist()


def test_a_model_without_members_is_asked_through_its_posterior() -> None:
    asked = state_question(surrogate=ModelOnly(two_processes([1.0, 1.0])))

    chosen = ReachState().choose(asked, np.random.default_rng(0))

    assert len(set(chosen.addresses.tolist())) == 4
    assert (np.diff(chosen.scores) <= 1e-6).all()


def test_a_question_without_a_state_is_refused() -> None:
    with pytest.raises(InvalidError, match=r"none of 'a', 'b' has one; add target = VALUE"):
        ReachState().choose(
            state_question(readouts=(Readout("a"), Readout("b"))), np.random.default_rng(0)
        )
    with pytest.raises(InvalidError, match="only 'reach-state'"):
        ReachState().choose(ask(Goal.MAXIMIZE), np.random.default_rng(0))
