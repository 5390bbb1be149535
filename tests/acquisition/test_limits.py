"""Limits of a batch: never broken, and no reason to give up where there is a way."""

import math
import re
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquisition.limits.budget import Budget
from acquisition.limits.exchange_rate import exchange_rate
from acquisition.limits.group_limits import GroupLimits
from acquisition.limits.keeper import Keeper
from acquisition.rules.expected_hits import ExpectedHits
from acquisition.rules.expected_improvement import LogExpectedImprovement
from acquisition.rules.greedy import Greedy
from acquisition.rules.max_variance import MaxVariance
from acquisition.rules.uniform import Uniform
from acquisition.rules.upper_confidence_bound import UpperConfidenceBound
from loop.domain.errors import NotEnoughCandidatesError
from loop.domain.goal import Goal
from loop.ports.arrays import Combinations, FloatArray, IntArray
from loop.ports.engine import Acquisition, BatchRequest, Chosen, Group, Limits
from tests.acquisition.asking import ask
from tests.acquisition.linear_draws import LinearDraws
from tests.acquisition.small_space import SmallSpace

P = 9
ACQUISITIONS: list[tuple[Acquisition, Goal]] = [
    (ExpectedHits(), Goal.FIND_HITS),
    (UpperConfidenceBound(), Goal.MINIMIZE),
    (LogExpectedImprovement(), Goal.MAXIMIZE),
    (MaxVariance(), Goal.LEARN_MAP),
    (Uniform(), Goal.FIND_HITS),
]


def _group(name: str, *members: int, **bounds: Any) -> Group:
    return Group(name, np.isin(np.arange(P), members), **bounds)


def _limits(**changes: Any) -> Limits:
    return Limits(uses=np.zeros(P, dtype=np.int64), **changes)


def _choose(acquisition: Acquisition, asked: BatchRequest) -> Chosen:
    return acquisition.choose(asked, np.random.default_rng(3))


def _on_offer(asked: BatchRequest) -> IntArray:
    every = np.arange(len(asked.space))
    return np.setdiff1d(every[asked.space.permitted(asked.space.unrank(every))], asked.taken)


def _prices(limits: Limits, chosen: Combinations) -> FloatArray:
    costs = limits.costs if len(limits.costs) else np.zeros(P)
    return costs[chosen.components].sum(axis=1) + limits.well_cost


def _keeps(limits: Limits, chosen: Combinations) -> bool:
    """The limits, written down once more and differently."""
    parts = chosen.components.tolist()
    uses = np.bincount(chosen.components.ravel(), minlength=P)
    counts = [sum(any(g.members[p] for p in row) for row in parts) for g in limits.groups]
    in_groups = all(
        g.at_least <= n <= (math.inf if g.at_most is None else g.at_most)
        for g, n in zip(limits.groups, counts, strict=True)
    )
    few = not limits.max_uses or uses.max() <= limits.max_uses
    return few and in_groups and _prices(limits, chosen).sum() <= limits.money + 1e-6


_groups = st.lists(
    st.builds(
        lambda name, members, least, room: _group(
            name, *members, at_least=least, at_most=None if room is None else least + room
        ),
        name=st.sampled_from(["DDR", "Wnt", "ribosome"]),
        members=st.sets(st.integers(0, P - 1), min_size=1, max_size=4),
        least=st.integers(0, 4),
        room=st.none() | st.integers(0, 3),
    ),
    max_size=3,
)
_any_limits = st.builds(
    _limits,
    max_uses=st.integers(0, 4),
    costs=st.lists(st.integers(0, 9), min_size=P, max_size=P).map(lambda c: np.array(c, float)),
    well_cost=st.sampled_from([0.0, 1.5]),
    money=st.just(math.inf) | st.floats(0, 120),
    groups=_groups.map(tuple),
    diversity=st.sampled_from([0.0, 0.5, 1.0]),
)


def _chosen_or_said(acquisition: Acquisition, asked: BatchRequest) -> tuple[Chosen | None, str]:
    try:
        return _choose(acquisition, asked), ""
    except NotEnoughCandidatesError as refusal:
        return None, str(refusal)


@pytest.mark.parametrize(("acquisition", "goal"), ACQUISITIONS)
@settings(max_examples=40, deadline=None)
@given(limits=_any_limits, size=st.integers(1, 8), pool=st.sampled_from([3, 2_000]))
def test_a_batch_keeps_to_all_its_limits_or_is_refused_in_one_sentence(
    acquisition: Acquisition, goal: Goal, limits: Limits, size: int, pool: int
) -> None:
    chosen_from = {} if isinstance(acquisition, Uniform) else {"pool": pool}
    asked = replace(ask(goal, size=size, settings=chosen_from), limits=limits)

    chosen, said = _chosen_or_said(acquisition, asked)

    if chosen is None:
        assert re.search(r"max_uses|budget|group|at_most", said)
        assert said.count(".") == 1 + len(re.findall(r"\d\.\d", said))
        return
    assert len(set(chosen.addresses.tolist())) == size
    assert set(chosen.addresses.tolist()) <= set(_on_offer(asked).tolist())
    assert _keeps(limits, asked.space.unrank(chosen.addresses))


@pytest.mark.parametrize(("acquisition", "goal"), ACQUISITIONS)
@settings(max_examples=12, deadline=None)
@given(
    costs=st.lists(st.integers(0, 9), min_size=P, max_size=P),
    spare=st.sampled_from([0.0, 1.0, 10.0]),
    size=st.integers(1, 10),
)
def test_money_for_the_cheapest_choices_is_money_enough(
    acquisition: Acquisition, goal: Goal, costs: list[int], spare: float, size: int
) -> None:
    asked, limits = ask(goal, size=size), _limits(costs=np.array(costs, float), well_cost=0.5)
    least = np.sort(_prices(limits, asked.space.unrank(_on_offer(asked))))[:size].sum()
    enough, short = (replace(limits, money=float(least) + more) for more in (spare, -0.01))

    chosen = _choose(acquisition, replace(asked, limits=enough))

    assert _keeps(enough, asked.space.unrank(chosen.addresses))
    with pytest.raises(NotEnoughCandidatesError, match="the budget leaves"):
        _choose(acquisition, replace(asked, limits=short))


@pytest.mark.parametrize(("acquisition", "goal"), ACQUISITIONS)
@settings(max_examples=25, deadline=None)
@given(
    members=st.sets(st.integers(0, P - 1), min_size=1, max_size=8),
    size=st.integers(1, 20),
    least=st.integers(0, 20),
    room=st.none() | st.integers(0, 5),
    pool=st.sampled_from([3, 2_000]),
)
def test_one_group_is_served_wherever_it_can_be(
    acquisition: Acquisition,
    goal: Goal,
    members: set[int],
    size: int,
    least: int,
    room: int | None,
    pool: int,
) -> None:
    group = _group("DDR", *members, at_least=least, at_most=None if room is None else least + room)
    chosen_from = {} if isinstance(acquisition, Uniform) else {"pool": pool}
    asked = ask(goal, size=size, settings=chosen_from)
    asked = replace(asked, limits=_limits(groups=(group,)))
    components = asked.space.unrank(_on_offer(asked)).components
    inside = int(group.members[components].any(axis=1).sum())
    most = size if group.at_most is None else min(group.at_most, size)
    possible = least <= min(inside, most) and min(most, inside) + len(components) - inside >= size

    if possible:
        chosen = _choose(acquisition, asked)
        assert _keeps(asked.limits, asked.space.unrank(chosen.addresses))
    else:
        with pytest.raises(NotEnoughCandidatesError, match=r"group 'DDR'|'DDR' may have no"):
            _choose(acquisition, asked)


@pytest.mark.parametrize(("acquisition", "goal"), ACQUISITIONS)
@settings(max_examples=12, deadline=None)
@given(
    costs=st.lists(st.integers(0, 9), min_size=P, max_size=P),
    members=st.sets(st.integers(0, P - 1), min_size=1, max_size=3),
    size=st.integers(1, 8),
    least=st.integers(0, 8),
    pool=st.sampled_from([3, 2_000]),
)
def test_money_is_kept_back_for_a_dear_group(
    acquisition: Acquisition,
    goal: Goal,
    costs: list[int],
    members: set[int],
    size: int,
    least: int,
    pool: int,
) -> None:
    chosen_from = {} if isinstance(acquisition, Uniform) else {"pool": pool}
    group = _group("DDR", *members, at_least=min(least, size))
    asked = ask(goal, size=size, settings=chosen_from)
    limits = _limits(costs=np.array(costs, float), groups=(group,))
    on_offer = asked.space.unrank(_on_offer(asked))
    inside = group.members[on_offer.components].any(axis=1)
    prices = _prices(limits, on_offer)
    due = np.sort(prices[inside])[: group.at_least]
    others = np.sort(np.concatenate([np.sort(prices[inside])[len(due) :], prices[~inside]]))
    money = float(due.sum() + others[: size - len(due)].sum())
    asked = replace(asked, limits=replace(limits, money=money))
    if len(due) < group.at_least:
        with pytest.raises(NotEnoughCandidatesError, match="group 'DDR'"):
            _choose(acquisition, asked)
        return

    chosen = _choose(acquisition, asked)

    assert _keeps(asked.limits, asked.space.unrank(chosen.addresses))


def _best_by_brute_force(asked: BatchRequest, utilities: FloatArray) -> float:
    prices = _prices(asked.limits, asked.space.unrank(_on_offer(asked)))
    return max(
        utilities[list(some)].sum()
        for some in combinations(range(len(prices)), asked.size)
        if prices[list(some)].sum() <= asked.limits.money
    )


@pytest.mark.parametrize("seed", range(6))
def test_the_best_of_the_money_is_made_nearly(seed: int) -> None:
    asked = ask(space=SmallSpace(P, 1), taken=np.arange(0, 36, 3), size=4)
    asked = replace(asked, pending=asked.space.unrank(np.arange(0)))
    costs = np.random.default_rng(seed).uniform(1, 10, P)
    everything = _choose(ExpectedHits(), replace(asked, size=len(_on_offer(asked))))
    utilities = everything.scores[np.argsort(everything.addresses)]
    limits = _limits(costs=costs)
    plain = _choose(ExpectedHits(), asked)
    spent = _prices(limits, asked.space.unrank(plain.addresses)).sum()
    least = np.sort(_prices(limits, asked.space.unrank(_on_offer(asked))))[:4].sum()
    money = (spent + least) / 2
    asked = replace(asked, limits=replace(limits, money=float(money)))

    chosen = _choose(ExpectedHits(), asked)

    best = _best_by_brute_force(asked, utilities)
    assert chosen.scores.sum() >= 0.93 * best
    assert any("budget bound the choice" in note for note in chosen.notes)


def test_money_that_buys_the_plain_choice_changes_nothing() -> None:
    asked = ask(Goal.MAXIMIZE, size=6)
    costs = np.arange(P, dtype=np.float64)
    plain = _choose(UpperConfidenceBound(), asked)
    spent = _prices(_limits(costs=costs), asked.space.unrank(plain.addresses)).sum()
    enough = replace(asked, limits=_limits(costs=costs, money=float(spent)))

    chosen = _choose(UpperConfidenceBound(), enough)

    assert chosen.addresses.tolist() == plain.addresses.tolist()
    assert chosen.notes == ()


def test_a_space_too_large_for_the_short_list_is_scanned_again_at_a_price() -> None:
    rich = np.where(np.arange(40) < 20, 1.0, 8.0)
    asked = ask(
        Goal.MAXIMIZE,
        space=SmallSpace(40),
        surrogate=_CostlyIsGood(),
        taken=np.arange(0),
        size=10,
        settings={"pool": 15},
    )
    asked = replace(asked, pending=asked.space.unrank(np.arange(0)))
    cheap = replace(asked, limits=Limits(costs=rich, money=60.0))

    chosen = _choose(Greedy(), cheap)

    prices = rich[asked.space.unrank(chosen.addresses).components].sum(axis=1)
    # Nine in ten of the short list of the plain choice cost 16, of which 60 buys three.
    assert prices.sum() <= 60.0
    assert chosen.scores.sum() > 10 * 2.0


@pytest.mark.parametrize(("seed", "leaning"), [(0, 0.0), (1, 1.0), (2, -1.0)])
def test_the_short_list_loses_nothing_of_what_the_whole_space_would_give_for_the_money(
    seed: int, leaning: float
) -> None:
    """Costs may have nothing to do with worth, rise with it, or fall."""
    many, size = 120, 32
    space, members = SmallSpace(many, 1), LinearDraws(many)
    every = space.unrank(np.arange(2, len(space)))  # what is neither forbidden nor its neighbour
    worth = members.effects.mean(dim=0).numpy()
    costs = np.exp(np.random.default_rng(seed).normal(size=many) + leaning * worth)
    utilities = members.member_means(every).mean(dim=0)[:, 0].numpy()
    prices = costs[every.components].sum(axis=1)
    plain = prices[np.argsort(-utilities)[:size]].sum()
    money = float(0.6 * np.sort(prices)[:size].sum() + 0.4 * plain)
    rate = exchange_rate(utilities, prices, size, money)
    wanted = np.argsort(rate * prices - utilities)[:size]
    asked = ask(
        Goal.MAXIMIZE,
        space=space,
        surrogate=members,
        taken=np.arange(2),
        pending=space.unrank(np.arange(0)),
        size=size,
        limits=Limits(costs=costs, money=money),
        settings={"pool": 500},
    )

    chosen = _choose(Greedy(), asked)

    assert chosen.scores.sum() >= utilities[wanted].sum() - 1e-4
    assert prices[chosen.addresses - 2].sum() <= money + 1e-6


class _CostlyIsGood:
    """Two members that like late perturbagens, and those at even places a little."""

    family = "ensemble"

    def member_means(self, combinations: Combinations) -> Any:
        import torch

        worth = torch.where(torch.arange(40) < 20, 1.0, 1.6) + torch.arange(40) / 400
        values = worth[torch.from_numpy(combinations.components)].sum(dim=1).double()
        return torch.stack([values - 0.1, values + 0.1])[..., None]

    def noise_sd(self) -> Any:
        import torch

        return torch.tensor([0.2])


def test_a_likeness_that_counts_in_full_spreads_the_batch() -> None:
    asked = ask(Goal.MAXIMIZE, size=6)
    spread = replace(asked, limits=_limits(diversity=1.0))

    alike, apart = (_choose(UpperConfidenceBound(), each) for each in (asked, spread))

    assert alike.addresses[0] == apart.addresses[0]
    shared = [
        np.mean([len(set(a) & set(b)) for a, b in combinations(_pairs(asked, chosen), 2)])
        for chosen in (alike, apart)
    ]
    assert shared[1] < shared[0]


def _pairs(asked: BatchRequest, chosen: Chosen) -> list[list[int]]:
    return asked.space.unrank(chosen.addresses).components.tolist()


def test_groups_that_overlap_are_served_by_candidates_of_both_when_time_is_short() -> None:
    groups = (_group("DDR", 2, at_least=2), _group("Wnt", 3, at_least=2))
    asked = replace(ask(Goal.MAXIMIZE, size=2), limits=_limits(groups=groups))

    chosen = _choose(Greedy(), asked)

    assert _pairs(asked, chosen) == [[2, 3], [2, 3]]  # in two contexts


def test_groups_that_overlap_may_cost_less_than_each_by_itself() -> None:
    groups = (_group("DDR", 2, at_least=2), _group("Wnt", 3, at_least=2))
    costs = np.where(np.isin(np.arange(P), (2, 3)), 1.0, 0.5)
    limits = _limits(groups=groups, costs=costs, money=4.0)

    chosen = _choose(Greedy(), replace(ask(Goal.MAXIMIZE, size=2), limits=limits))

    assert _pairs(ask(), chosen) == [[2, 3], [2, 3]]


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"max_uses": 1}, "needs 6 perturbations and max_uses = 1 left room for 4"),
        (
            {"costs": np.ones(P), "well_cost": 1.0, "money": 10.0},
            "needs 6 perturbations, but the cheapest 6 choices cost 18 and the budget leaves 10",
        ),
        (
            {"groups": (_group("DDR", at_least=3),)},
            "but group 'DDR' still needs 3 choices and no candidate is left for it",
        ),
        (
            {"groups": (_group("all", *range(P), at_most=2),)},
            "but 'all' may have no more choices and nothing else is left",
        ),
    ],
)
@pytest.mark.parametrize("acquisition", [Greedy(), Uniform()])
def test_the_limit_that_ends_a_choice_is_named(
    acquisition: Acquisition, limits: dict[str, Any], said: str
) -> None:
    asked = replace(ask(size=6), limits=_limits(**limits))

    with pytest.raises(NotEnoughCandidatesError, match=re.escape(said)):
        _choose(acquisition, asked)


def test_limits_that_bound_the_choice_say_so() -> None:
    groups = (_group("DDR", 0, at_least=2), _group("Wnt", 8, at_most=1))
    asked = replace(ask(Goal.MAXIMIZE, size=4), limits=_limits(max_uses=2, groups=groups))

    notes = _choose(Greedy(), asked).notes

    assert re.fullmatch(r"Max_uses = 2 kept out \d+ candidates of the short list .*", notes[0])
    assert "Groups decided the last" in notes[1]
    assert "at_most of 'Wnt' kept out" in notes[1]


def test_asking_what_is_allowed_changes_nothing() -> None:
    limits = _limits(max_uses=2, groups=(_group("DDR", 4, at_least=1),), money=9.0)
    keeper, everything = Keeper(limits, 2), SmallSpace().unrank(np.arange(72))

    assert keeper.allowed(everything).tolist() == keeper.allowed(everything).tolist()
    keeper.count(everything[:1])
    assert keeper.allowed(everything).tolist() == (everything.components == 4).any(axis=1).tolist()


def test_an_empty_slot_costs_nothing_and_serves_no_group() -> None:
    single = Combinations(np.array([[8, -1]]), np.array([[0, -1]]), np.zeros(1, dtype=np.int64))
    limits = _limits(costs=np.arange(P, dtype=np.float64), well_cost=0.5)

    assert Budget(limits, 1).prices(single).tolist() == [8.5]
    assert GroupLimits((_group("DDR", 0, at_most=0),), 1).allowed(single).tolist() == [True]
