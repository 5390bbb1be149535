"""Greedy and upper confidence bound: scores by hand, goals, settings, reasons."""

import re

import numpy as np
import pytest

from acquisition.rules.greedy import Greedy
from acquisition.rules.thompson import Thompson
from acquisition.rules.upper_confidence_bound import UpperConfidenceBound
from loop.domain.errors import InvalidError
from loop.domain.goal import Direction, Goal, Readout
from loop.ports.arrays import FloatArray, IntArray
from loop.ports.engine import Acquisition, BatchRequest
from tests.acquisition.asking import ask


def _belief(asked: BatchRequest, addresses: IntArray) -> tuple[FloatArray, FloatArray]:
    belief = asked.surrogate.believe(asked.space.unrank(addresses))
    return belief.mean[:, 0], belief.epistemic_sd[:, 0]


def test_for_hits_a_score_is_the_excess_in_units_of_the_noise() -> None:
    asked = ask()

    chosen = Greedy().choose(asked, np.random.default_rng(0))

    mean, _ = _belief(asked, chosen.addresses)
    assert chosen.scores == pytest.approx(np.maximum(mean - 2.0, -1.5 - mean) / 0.5, rel=1e-5)
    assert (np.diff(chosen.scores) <= 0).all()


def test_a_one_sided_readout_has_one_side() -> None:
    readout = Readout("gi", direction=Direction.DOWN, low=-1.5)
    asked = ask(readout=readout, size=10)

    chosen = Greedy().choose(asked, np.random.default_rng(0))

    mean, _ = _belief(asked, chosen.addresses)
    assert (np.diff(mean) >= -1e-6).all()


@pytest.mark.parametrize("beta", [0, 0.5, 3.0])
def test_a_bound_is_mean_plus_beta_sds(beta: float) -> None:
    asked = ask(Goal.MINIMIZE, settings={"beta": beta})

    chosen = UpperConfidenceBound().choose(asked, np.random.default_rng(0))

    mean, sd = _belief(asked, chosen.addresses)
    assert chosen.scores == pytest.approx(-mean + beta * sd, rel=1e-5)


def test_a_bound_for_hits_starts_from_the_excess() -> None:
    asked = ask()

    chosen = UpperConfidenceBound().choose(asked, np.random.default_rng(0))

    mean, sd = _belief(asked, chosen.addresses)
    assert chosen.scores == pytest.approx(np.maximum(mean - 2.0, -1.5 - mean) + sd, rel=1e-5)


@pytest.mark.parametrize("acquisition", [Greedy(), UpperConfidenceBound()])
def test_learning_the_map_is_not_their_goal(acquisition: Acquisition) -> None:
    with pytest.raises(InvalidError, match="does not serve goal 'learn-map'"):
        acquisition.choose(ask(Goal.LEARN_MAP), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"beta": -1.0}, "'beta' of acquisition 'upper-confidence-bound' is -1.0; it must be a "),
        ({"beta": "two"}, "is 'two'; it must be a number of at least 0"),
        ({"beta": True}, "is True; it must be a number"),
        ({"beta": float("nan")}, "is nan; it must be a number"),
        ({"shard": 0}, "is 0; it must be a whole number of at least 1"),
        ({"shard": 1.5}, "is 1.5; it must be a whole number"),
        ({"bet": 1.0}, "has no setting 'bet' .* Did you mean 'beta'?"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float], said: str) -> None:
    with pytest.raises(InvalidError, match=said):
        UpperConfidenceBound().choose(ask(settings=settings), np.random.default_rng(0))


def test_a_reason_for_a_hit_says_prediction_chance_and_rank() -> None:
    chosen = Greedy().choose(ask(), np.random.default_rng(0))

    assert re.fullmatch(
        r"Predicted -?\d\.\d+ ± \d\.\d+ sd \(90 % before calibration\), (over )?\d\d % likely "
        r"to pass a threshold; rank 1 of 64 candidates\.",
        chosen.reasons[0],
    )


def test_a_reason_for_an_extreme_says_what_it_might_beat() -> None:
    chosen = Greedy().choose(ask(Goal.MAXIMIZE), np.random.default_rng(0))

    assert " likely to beat the best so far, 2.5 sd; rank 1 of 64" in chosen.reasons[0]


def test_a_reason_without_unit_or_best_leaves_them_out() -> None:
    asked = ask(Goal.MAXIMIZE, readout=Readout("gi"), best=None)

    chosen = Greedy().choose(asked, np.random.default_rng(0))

    assert re.fullmatch(
        r"Predicted \S+ ± \S+ \(90 % before calibration\); rank 1 of 64 candidates\.",
        chosen.reasons[0],
    )


@pytest.mark.parametrize("goal", [Goal.FIND_HITS, Goal.MAXIMIZE, Goal.MINIMIZE])
def test_of_one_candidate_all_rules_for_one_readout_say_the_same(goal: Goal) -> None:
    asked = ask(goal, size=40)
    said = []
    for rule in (Greedy(), UpperConfidenceBound(), Thompson()):
        chosen = rule.choose(asked, np.random.default_rng(0))
        first = [re.split(r", best of|; rank", reason)[0] for reason in chosen.reasons]
        said.append(dict(zip(chosen.addresses.tolist(), first, strict=True)))

    for address in set.intersection(*map(set, said)):
        assert "likely to" in said[0][address]
        assert said[0][address] == said[1][address] == said[2][address]
    assert len(set.intersection(*map(set, said))) > 5
