"""Two stages: the choice among the K best is the choice among all."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquisition.rules.expected_improvement import LogExpectedImprovement
from acquisition.rules.greedy import Greedy
from acquisition.rules.max_variance import MaxVariance
from loop.domain.errors import NotEnoughCandidatesError
from loop.domain.goal import Goal
from loop.ports.engine import Acquisition, BatchRequest, Chosen
from tests.acquisition.asking import ask
from tests.acquisition.gaussian import gaussian_process
from tests.acquisition.linear_draws import LinearDraws, ModelOnly
from tests.acquisition.small_space import SmallSpace


def _choose(acquisition: Acquisition, asked: BatchRequest) -> Chosen:
    return acquisition.choose(asked, np.random.default_rng(2))


def _greedy_over_everything(asked: BatchRequest, values: np.ndarray) -> list[int]:
    """Sort all candidates, and walk down while uses last."""
    uses, chosen = asked.limits.uses.copy(), list[int]()
    for address in np.argsort(-values):
        one = asked.space.unrank(np.array([address]))
        parts = one.components[0]
        fine = asked.space.permitted(one)[0] and address not in asked.taken
        if fine and len(chosen) < asked.size and (uses[parts] < asked.limits.max_uses).all():
            chosen.append(int(address))
            uses[parts] += 1
    return chosen


@settings(max_examples=20, deadline=None)
@given(pool=st.integers(1, 12), shard=st.integers(1, 80), max_uses=st.integers(1, 3))
def test_a_short_list_that_max_uses_exhausts_is_scanned_for_again(
    pool: int, shard: int, max_uses: int
) -> None:
    asked = ask(Goal.MAXIMIZE, size=4, max_uses=max_uses, settings={"pool": pool, "shard": shard})
    everything = asked.space.unrank(np.arange(len(asked.space)))
    means = LinearDraws().member_means(everything).mean(dim=0)[:, 0].numpy()

    chosen = _choose(Greedy(), asked)

    assert chosen.addresses.tolist() == _greedy_over_everything(asked, means)


@pytest.mark.parametrize("acquisition", [LogExpectedImprovement(), MaxVariance()])
@pytest.mark.parametrize("surrogate", [LinearDraws(), ModelOnly(gaussian_process())])
def test_joint_choices_go_on_over_several_short_lists(
    acquisition: Acquisition, surrogate: LinearDraws | ModelOnly
) -> None:
    asked = ask(Goal.MAXIMIZE, surrogate=surrogate, size=8, max_uses=2, settings={"pool": 3})

    chosen = _choose(acquisition, asked)

    components = asked.space.unrank(chosen.addresses).components
    assert len(set(chosen.addresses.tolist())) == 8
    assert np.bincount(components.ravel()).max() <= 2


def test_a_greedy_choice_that_max_uses_ends_early_is_refused_with_numbers() -> None:
    with pytest.raises(
        NotEnoughCandidatesError, match="needs 5 perturbations and max_uses = 1 left room for 4"
    ):
        _choose(Greedy(), ask(size=5, max_uses=1))


def test_a_space_too_large_to_scan_is_drawn_from_and_the_reason_says_so() -> None:
    asked = ask(space=SmallSpace(40), surrogate=LinearDraws(40), uses=np.zeros(40, np.int64))

    whole = _choose(Greedy(), asked)
    part = _choose(Greedy(), replace(asked, settings={"scan_limit": 300, "shard": 11}))
    again = _choose(Greedy(), replace(asked, settings={"scan_limit": 300}))

    left = asked.space.on_offer() - len(asked.taken) + 1
    assert whole.reasons[0].endswith(f"; rank 1 of {left:,} candidates.")
    assert "candidates scanned, drawn at random from 1.6e+03." in part.reasons[0]
    assert "; rank 1 of the 29" in part.reasons[0] or "; rank 1 of the 300" in part.reasons[0]
    assert part.addresses.tolist() == again.addresses.tolist()
    assert part.scores[0] <= whole.scores[0]


def test_a_scan_too_small_for_the_batch_is_refused_by_its_setting() -> None:
    with pytest.raises(NotEnoughCandidatesError, match="raise scan_limit"):
        _choose(Greedy(), ask(size=20, settings={"scan_limit": 10}))


def test_candidates_that_are_all_alike_are_not_chosen_in_the_order_of_the_library() -> None:
    alike = LinearDraws()
    alike.effects.zero_()
    alike.curved.zero_()
    asked = ask(surrogate=alike, size=8)

    one = Greedy().choose(asked, np.random.default_rng(1)).addresses
    two = Greedy().choose(asked, np.random.default_rng(2)).addresses

    assert sorted(one) != sorted(two)
    assert max(one) > 36  # reaches the second context


@pytest.mark.parametrize("shard", [1, 7, 40])
def test_ties_at_the_end_of_a_short_list_do_not_depend_on_the_shards(shard: int) -> None:
    alike = LinearDraws()
    alike.effects.zero_()
    alike.curved.zero_()
    asked = ask(surrogate=alike, settings={"pool": 5})

    usual = _choose(Greedy(), asked)
    other = _choose(Greedy(), replace(asked, settings={"pool": 5, "shard": shard}))

    assert other.addresses.tolist() == usual.addresses.tolist()


def test_a_candidate_that_moved_up_says_that_its_rank_is_past_the_list() -> None:
    chosen = _choose(Greedy(), ask(Goal.MAXIMIZE, max_uses=1, settings={"pool": 2}))

    assert chosen.reasons[0].endswith("; rank 1 of 64 candidates.")
    assert chosen.reasons[-1].endswith("; ranked past the first 2 of 64 candidates.")
