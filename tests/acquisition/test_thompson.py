"""Thompson: one draw after the other, each choosing what it likes best of what is left."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from acquisition.rules.thompson import DrawGains, Thompson
from loop.domain.errors import InvalidError
from loop.domain.goal import Goal
from loop.ports.engine import BatchRequest
from tests.acquisition.asking import ask
from tests.acquisition.linear_draws import LinearDraws

AS_THEY_ARE = {"draws": 6}
"""As many draws as there are members: no mixtures."""


def _turn_by_turn(asked: BatchRequest, values: np.ndarray) -> list[int]:
    """Six members (rows) choose in turn among what is on offer, in pairs."""
    every = np.arange(len(asked.space))
    left = set(np.setdiff1d(every[asked.space.permitted(asked.space.unrank(every))], asked.taken))
    best = values[:, sorted(left)].max(axis=1)
    pairs = [sorted(pair, key=lambda member: -best[member]) for pair in ((0, 3), (1, 4), (2, 5))]
    order = [member for pair in pairs for member in pair]
    chosen = list[int]()
    for turn in range(asked.size):
        mine = values[order[turn % 6]]
        chosen.append(int(max(left, key=lambda address: mine[address])))
        left.remove(chosen[-1])
    return chosen


@pytest.mark.parametrize(("goal", "sign"), [(Goal.MAXIMIZE, 1.0), (Goal.MINIMIZE, -1.0)])
@pytest.mark.parametrize("size", [4, 6])
def test_each_member_in_turn_gets_its_favourite(goal: Goal, sign: float, size: int) -> None:
    asked = ask(goal, size=size, settings=AS_THEY_ARE)
    everything = asked.space.unrank(np.arange(len(asked.space)))
    values = sign * LinearDraws().member_means(everything)[..., 0].numpy()
    values[:, [0, 36, *asked.taken]] = -np.inf

    chosen = Thompson().choose(asked, np.random.default_rng(0))

    assert chosen.addresses.tolist() == _turn_by_turn(asked, values)
    assert chosen.scores[0] == pytest.approx(max(values[member].max() for member in (0, 3)))
    assert "best of what was left in one draw" in chosen.reasons[0]


def test_hits_are_hunted_past_the_nearer_threshold() -> None:
    asked = ask(size=6, settings=AS_THEY_ARE)
    everything = asked.space.unrank(np.arange(len(asked.space)))
    values = LinearDraws().member_means(everything)[..., 0].numpy()
    past = np.maximum(values - 2.0, -1.5 - values)

    chosen = Thompson().choose(asked, np.random.default_rng(0))

    assert chosen.addresses.tolist() == _turn_by_turn(asked, past)


def test_a_short_list_as_small_as_the_members_still_holds_every_favourite() -> None:
    whole = Thompson().choose(ask(Goal.MAXIMIZE, settings=AS_THEY_ARE), np.random.default_rng(0))
    short = Thompson().choose(
        ask(Goal.MAXIMIZE, settings={**AS_THEY_ARE, "pool": 12}), np.random.default_rng(0)
    )

    assert short.addresses.tolist() == whole.addresses.tolist()


def test_few_members_are_mixed_so_that_a_large_batch_does_not_ask_each_over_and_over() -> None:
    asked = ask(Goal.MAXIMIZE, size=24)
    members = Thompson().choose(replace(asked, settings=AS_THEY_ARE), np.random.default_rng(0))

    mixed = Thompson().choose(asked, np.random.default_rng(0))

    assert set(mixed.addresses.tolist()) != set(members.addresses.tolist())


def test_the_draws_take_turns_and_begin_again() -> None:
    gains = DrawGains(torch.tensor([[1.0, 2.0, 0.0], [5.0, 4.0, 3.0], [0.0, 0.0, 9.0]]))

    assert gains.values().tolist() == [5.0, 4.0, 3.0]  # the pair's better one
    gains.add(0)
    assert gains.values().tolist() == [1.0, 2.0, 0.0]
    gains.add(1)
    assert gains.values().tolist() == [0.0, 0.0, 9.0]
    gains.add(2)
    assert gains.values().tolist() == [5.0, 4.0, 3.0]


def test_learning_the_map_is_refused() -> None:
    with pytest.raises(InvalidError, match="does not serve goal 'learn-map'"):
        Thompson().choose(ask(Goal.LEARN_MAP), np.random.default_rng(0))
