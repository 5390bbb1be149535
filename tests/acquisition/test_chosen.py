"""What a choice says of itself: ranks, shares of the batch's value, values by draw, notes."""

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from acquisition.choosing.batch_value import batch_values
from acquisition.choosing.contributions import Scale, contributions
from acquisition.choosing.reasons import shares_brought
from acquisition.rules.expected_hits import ExpectedHits
from acquisition.rules.expected_improvement import LogExpectedImprovement
from acquisition.rules.greedy import Greedy
from acquisition.rules.max_variance import MaxVariance
from acquisition.rules.upper_confidence_bound import UpperConfidenceBound
from loop.domain.errors import IncompatibleError
from loop.domain.goal import Goal
from loop.ports.engine import Acquisition, BatchRequest, Chosen
from tests.acquisition.asking import ask
from tests.acquisition.gaussian import gaussian_process
from tests.acquisition.linear_draws import LinearDraws, ModelOnly


def _choose(acquisition: Acquisition, asked: BatchRequest) -> Chosen:
    return acquisition.choose(asked, np.random.default_rng(0))


def test_an_additive_choice_takes_the_first_ranks_in_order() -> None:
    chosen = _choose(ExpectedHits(), ask(size=6))

    assert chosen.ranks.tolist() == [1, 2, 3, 4, 5, 6]


def test_a_joint_choice_keeps_the_ranks_of_the_scan() -> None:
    asked = ask(Goal.MAXIMIZE, size=6, surrogate=LinearDraws(members=24))

    ranks = _choose(LogExpectedImprovement(), asked).ranks.tolist()

    assert len(set(ranks)) == 6
    assert sorted(ranks) != ranks


def test_the_values_of_hits_add_up_to_the_scores_on_average() -> None:
    chosen = _choose(ExpectedHits(), ask(size=7))

    assert chosen.values.shape == (6,)  # one for each member
    assert chosen.values.mean() == pytest.approx(chosen.scores.sum(), rel=1e-5)
    assert chosen.values.std() > 0


@pytest.mark.parametrize("goal", [Goal.MAXIMIZE, Goal.MINIMIZE])
def test_the_value_of_an_extreme_is_how_far_the_best_choice_goes_past_the_best_so_far(
    goal: Goal,
) -> None:
    sign = 1.0 if goal is Goal.MAXIMIZE else -1.0
    asked = ask(goal, size=5, best=sign * 1.5)

    chosen = _choose(Greedy(), asked)

    drawn = asked.surrogate.member_means(asked.space.unrank(chosen.addresses))[..., 0].numpy()
    assert chosen.values == pytest.approx(np.maximum((sign * drawn).max(axis=1) - 1.5, 0.0))


@pytest.mark.parametrize(
    ("goal", "best"), [(Goal.LEARN_MAP, 1.0), (Goal.MAXIMIZE, None), (Goal.MINIMIZE, None)]
)
def test_without_a_value_there_is_none(goal: Goal, best: float | None) -> None:
    assert _choose(MaxVariance(), ask(goal, best=best)).values.shape == (0,)


def test_without_noise_a_hit_is_a_step() -> None:
    asked = ask(size=2)

    values = batch_values(asked, torch.tensor([[1.9, 2.1], [-1.6, 0.0]]).double(), 0.0)

    assert values.tolist() == [1.0, 1.0]


def test_a_process_gives_as_many_values_as_draws() -> None:
    asked = ask(surrogate=ModelOnly(gaussian_process()), settings={"draws": 32})

    assert _choose(ExpectedHits(), asked).values.shape == (32,)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=8), st.sampled_from(Scale))
def test_shares_sum_to_one_unless_nothing_was_brought(scores: list[float], scale: Scale) -> None:
    shares = contributions(np.array(scores), scale, typical=1.0)

    nothing = {Scale.AMOUNT: max(scores) <= 0, Scale.EXCESS: max(scores) <= 1, Scale.LOG: False}
    assert bool(np.isnan(shares).all()) is nothing[scale]
    assert nothing[scale] or shares.sum() == pytest.approx(1.0)
    assert not (shares < 0).any()


def test_shares_worked_by_hand() -> None:
    scores = np.array([3.0, 1.0, -1.0])

    assert contributions(scores, Scale.AMOUNT, 9.0).tolist() == [0.75, 0.25, 0.0]
    assert contributions(scores, Scale.EXCESS, 0.0).tolist() == [0.75, 0.25, 0.0]
    assert contributions(scores, Scale.EXCESS, -1.0).tolist() == [4 / 6, 2 / 6, 0.0]
    assert contributions(np.log([3.0, 1.0]), Scale.LOG, 9.0) == pytest.approx([0.75, 0.25])
    assert contributions(np.empty(0), Scale.LOG, 0.0).tolist() == []


def test_a_bound_is_shared_out_above_a_typical_candidate() -> None:
    asked = ask(Goal.MAXIMIZE, size=4)
    bounds = _choose(UpperConfidenceBound(), ask(Goal.MAXIMIZE, size=64)).scores

    chosen = _choose(UpperConfidenceBound(), asked)

    # Everything on offer is drawn; pending and taken candidates are not.
    above = chosen.scores - np.median(bounds)
    assert chosen.contributions == pytest.approx(above / above.sum(), rel=1e-4)


def test_a_reason_says_which_share_of_the_batchs_value_it_brings() -> None:
    chosen = _choose(ExpectedHits(), ask(size=5))

    said = re.search(r"; brings (\d+) % of the batch's expected hits\.$", chosen.reasons[0])
    assert said is not None
    assert int(said[1]) == round(100 * chosen.contributions[0])


def test_a_share_is_told_in_two_digits_and_not_of_a_batch_of_one() -> None:
    shares = np.array([0.5049, 0.0123, 0.0004, math.nan])

    assert shares_brought(shares, "hits") == [
        "; brings 50 % of the batch's hits",
        "; brings 1.2 % of the batch's hits",
        "; brings under 0.1 % of the batch's hits",
        "",
    ]
    assert shares_brought(np.array([1.0]), "hits") == [""]
    assert shares_brought(shares, "") == [""] * 4


class _BrokenMember(LinearDraws):
    """Its second member predicts no number for one pair."""

    def member_means(self, combinations):  # type: ignore[no-untyped-def]
        means = super().member_means(combinations)
        means[1, (combinations.components == [4, 6]).all(axis=1)] = torch.nan
        return means


@pytest.mark.parametrize(
    ("acquisition", "goal"),
    [
        (ExpectedHits(), Goal.FIND_HITS),
        (LogExpectedImprovement(), Goal.MAXIMIZE),
        (MaxVariance(), Goal.LEARN_MAP),
    ],
)
@pytest.mark.parametrize("through", ["members", "model"])
def test_a_member_that_predicts_no_number_stops_the_choice_and_is_named(
    acquisition: Acquisition, goal: Goal, through: str
) -> None:
    broken = _BrokenMember()
    surrogate = broken if through == "members" else ModelOnly(broken.model())

    with pytest.raises(IncompatibleError, match=r"^Member 2 of"):
        _choose(acquisition, ask(goal, surrogate=surrogate))
