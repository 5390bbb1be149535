"""Auto: by goal and family."""

from dataclasses import replace

import numpy as np
import pytest

from acquisition.auto import Auto, delegate_for
from acquisition.rules.expected_hits import ExpectedHits
from acquisition.rules.pareto import Pareto
from acquisition.rules.reach_state import ReachState
from acquisition.rules.uniform import Uniform
from acquisition.rules.upper_confidence_bound import UpperConfidenceBound
from loop.domain.errors import InvalidError
from loop.domain.goal import Goal
from tests.acquisition.asking import ask
from tests.acquisition.linear_draws import LinearDraws


class _Of(LinearDraws):
    def __init__(self, family: str) -> None:
        super().__init__()
        self.family = family


@pytest.mark.parametrize(
    ("goal", "family", "delegate"),
    [
        (Goal.FIND_HITS, "ensemble", ExpectedHits),
        (Goal.FIND_HITS, "gaussian-process", ExpectedHits),
        (Goal.FIND_HITS, "never heard of", ExpectedHits),
        (Goal.FIND_HITS, "none", Uniform),
        (Goal.MAXIMIZE, "ensemble", UpperConfidenceBound),
        (Goal.MINIMIZE, "gaussian-process", UpperConfidenceBound),
        (Goal.MINIMIZE, "none", Uniform),
        (Goal.LEARN_MAP, "ensemble", Uniform),
        (Goal.PARETO, "committee", Pareto),
        (Goal.REACH_STATE, "linear", ReachState),
        (Goal.PARETO, "none", Uniform),
    ],
)
def test_goal_and_family_decide(goal: Goal, family: str, delegate: type) -> None:
    assert type(delegate_for(goal, _Of(family))) is delegate


def test_a_surrogate_that_tells_no_family_gets_what_is_right_for_any() -> None:
    silent = _Of("")
    del silent.family

    assert type(delegate_for(Goal.MAXIMIZE, silent)) is UpperConfidenceBound


def test_it_chooses_what_its_delegate_chooses() -> None:
    one = Auto().choose(ask(), np.random.default_rng(3))
    two = ExpectedHits().choose(ask(), np.random.default_rng(3))

    assert one.addresses.tolist() == two.addresses.tolist()


def test_a_setting_of_another_delegate_is_left_to_it() -> None:
    asked = ask(settings={"beta": 2.0, "shard": 5})

    for family in ("ensemble", "none"):
        Auto().choose(replace(asked, surrogate=_Of(family)), np.random.default_rng(3))


def test_a_setting_that_no_delegate_has_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidError, match=r"no setting 'bta' .*Did you mean 'beta'\?"):
        Auto().choose(ask(settings={"bta": 1.0}), np.random.default_rng(3))
