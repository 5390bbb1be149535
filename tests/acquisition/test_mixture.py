"""Mixture: parts choose in turn, and together keep to every limit."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acquisition.rules.expected_hits import ExpectedHits
from acquisition.rules.mixture import Mixture
from acquisition.rules.parts import next_part, whole_parts
from acquisition.rules.uniform import Uniform
from loop.domain.errors import InvalidError
from loop.domain.goal import Goal
from loop.ports.arrays import BoolArray
from loop.ports.engine import BatchRequest, Chosen, Group, Limits
from tests.acquisition.asking import ask

MOSTLY_HITS = {"expected-hits": 0.75, "max-variance": 0.25}


def _choose(**changes: Any) -> Chosen:
    changes.setdefault("settings", MOSTLY_HITS)
    return Mixture().choose(ask(**changes), np.random.default_rng(0))


def _chosen(*addresses: int) -> Chosen:
    return Chosen(np.array(addresses), np.zeros(len(addresses)), ("",) * len(addresses))


def _holding(*perturbagens: int) -> BoolArray:
    return np.isin(np.arange(9), perturbagens)


def test_every_part_gets_its_share_and_every_reason_says_whose_choice_it_was() -> None:
    hits = ExpectedHits().choose(ask(size=6), np.random.default_rng(0))

    chosen = _choose(size=8)

    assert chosen.addresses[:6].tolist() == hits.addresses.tolist()
    assert chosen.scores[:6].tolist() == hits.scores.tolist()
    assert chosen.ranks[:6].tolist() == hits.ranks.tolist()
    said = [reason.split(":")[0] for reason in chosen.reasons]
    assert (
        said
        == ["Chosen by expected-hits (75 % of the batch)"] * 6
        + ["Chosen by max-variance (25 % of the batch)"] * 2
    )


def test_the_value_of_the_whole_batch_is_told_draw_by_draw() -> None:
    hits = ExpectedHits().choose(ask(size=6), np.random.default_rng(0))

    alone = _choose(size=6, settings={"expected-hits": 1.0})
    with_others = _choose(size=8)

    assert alone.values == pytest.approx(hits.values)
    assert (with_others.values > hits.values).all()
    assert not len(_choose(settings={"random": 1.0}).values)


def test_later_parts_believe_what_earlier_ones_chose() -> None:
    """Max variance leaves alone what it would have chosen, once that is pending."""
    twice = _choose(settings={"max-variance": 0.5, "max-variance.pool": 9, "random": 0.5})
    first = ask(Goal.FIND_HITS)

    part = next_part(first, [_chosen(9, 10)], 2)

    assert set(part.taken.tolist()) == {*first.taken.tolist(), 9, 10}
    assert first.space.rank(part.pending).tolist() == [3, 41, 9, 10]
    assert len(set(twice.addresses.tolist())) == 4


def test_a_part_is_asked_with_its_own_settings() -> None:
    one = _choose(settings={"upper-confidence-bound": 1.0, "upper-confidence-bound.beta": 0.0})
    two = _choose(settings={"upper-confidence-bound": 1.0, "upper-confidence-bound.beta": 9.0})

    assert one.addresses.tolist() != two.addresses.tolist()


def test_a_part_too_small_for_a_choice_is_left_out() -> None:
    chosen = _choose(size=4, settings={"expected-hits": 0.95, "random": 0.05})

    assert all("expected-hits" in reason for reason in chosen.reasons)


@pytest.mark.parametrize(
    ("shares", "size", "parts"),
    [
        ((0.8, 0.1, 0.1), 128, [102, 13, 13]),
        ((0.5, 0.5), 3, [2, 1]),
        ((0.1, 0.2, 0.7), 10, [1, 2, 7]),
        ((1.0,), 5, [5]),
    ],
)
def test_shares_are_rounded_to_the_whole_batch(
    shares: tuple[float, ...], size: int, parts: list[int]
) -> None:
    assert whole_parts(shares, size) == parts


def test_what_is_chosen_comes_off_what_the_limits_leave() -> None:
    """Addresses 9 and 10 are (1, 3) and (1, 4); of six choices two are made and two are asked."""
    asked = ask(size=6)
    limits = Limits(
        max_uses=3,
        uses=np.arange(9),
        costs=np.arange(9.0),
        well_cost=1.0,
        money=51.0,
        groups=(
            Group("a", _holding(1), at_least=3, at_most=4),
            Group("b", _holding(3, 4), at_least=6),
            Group("c", _holding(8), at_least=0, at_most=1),
        ),
    )
    asked = replace(asked, limits=limits)
    assert asked.space.unrank(np.array([9, 10])).components.tolist() == [[1, 3], [1, 4]]

    part = next_part(asked, [_chosen(9, 10)], 2).limits

    assert part.uses.tolist() == [0, 3, 2, 4, 5, 5, 6, 7, 8]
    assert part.money == (51.0 - 9.0 - 2.0) / 2
    assert [group.at_least for group in part.groups] == [0, 2, 0]
    assert [group.at_most for group in part.groups] == [2, None, 1]
    last = next_part(asked, [_chosen(9, 10)], 4).limits
    assert last.money == 40.0
    assert last.groups[1].at_least == 4


def test_parts_together_keep_to_money_uses_and_groups() -> None:
    limits = Limits(
        max_uses=3,
        uses=np.zeros(9, dtype=np.int64),
        costs=np.arange(9.0),
        money=90.0,
        groups=(Group("a", _holding(7, 8), at_least=3), Group("b", _holding(2), at_most=1)),
    )
    for seed in range(10):
        asked = ask(size=8, limits=limits, settings={"expected-hits": 0.5, "random": 0.5})
        chosen = Mixture().choose(asked, np.random.default_rng(seed))
        components = asked.space.unrank(chosen.addresses).components

        assert limits.costs[components].sum() <= 90.0
        assert np.bincount(components.ravel()).max() <= 3
        assert np.isin(components, [7, 8]).any(axis=1).sum() >= 3
        assert (components == 2).any(axis=1).sum() <= 1


@pytest.mark.parametrize("shares", [{"expected-hits": 0.5, "greedy": 0.5}, MOSTLY_HITS])
def test_a_part_leaves_the_money_that_later_parts_owe_to_a_group(shares: dict[str, float]) -> None:
    """Perturbagen 8 is dear and must be in once: only the cheapest can be chosen beside it."""
    costs = np.array([2.0, 2, 2, 2, 5, 5, 5, 5, 30])
    limits = Limits(costs=costs, money=49.0, groups=(Group("dear", _holding(8), at_least=1),))

    chosen = _choose(size=4, limits=limits, settings=shares)

    components = ask().space.unrank(chosen.addresses).components
    assert (components == 8).any(axis=1).sum() == 1
    assert costs[components].sum() <= 49.0


def test_a_part_gets_what_its_own_dues_cost() -> None:
    """Both parts owe a pair with the dear one; their halves of the choices cost the same."""
    costs = np.array([2.0, 2, 2, 2, 5, 5, 5, 5, 30])
    limits = Limits(costs=costs, money=80.0, groups=(Group("dear", _holding(8), at_least=2),))

    chosen = _choose(size=4, limits=limits, settings={"expected-hits": 0.5, "greedy": 0.5})

    components = ask().space.unrank(chosen.addresses).components
    assert (components == 8).any(axis=1).sum() == 2
    assert costs[components].sum() <= 80.0


def test_money_without_bound_stays_so() -> None:
    assert next_part(ask(), [_chosen(9)], 1).limits.money == math.inf


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "shares of acquisition 'mixture' sum to 0; name acquisitions with shares"),
        ({"random": 0.5}, "sum to 0.5"),
        ({"random": 0.7, "greedy": 0.7}, "sum to 1.4"),
        ({"random": 0.5, "expected-hit": 0.5}, r"'expected-hit'.*Did you mean 'expected-hits'\?"),
        ({"mixture": 1.0}, "cannot hold 'mixture'"),
        ({"random": "all"}, "Share 'random' .* is 'all'; it must be a number above 0"),
        ({"random": 1.0, "greedy": 0.0}, "Share 'greedy' .* is 0.0"),
        ({"random": 1.0, "greedy.pool": 9}, "'greedy.pool' .* is for 'greedy', which has no share"),
        ({"greedy": 1.0, "greedy.pol": 9}, "'greedy' has no setting 'pol'"),
        ({"random": True}, "Share 'random'"),
    ],
)
def test_shares_that_make_no_mixture_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidError, match=sentence):
        Mixture().check(settings)
    with pytest.raises(InvalidError, match=sentence):
        _choose(settings=settings)


def test_a_mixture_of_one_is_that_one() -> None:
    asked: BatchRequest = ask(settings={"random": 1.0})

    one = Mixture().choose(asked, np.random.default_rng(0))
    two = Uniform().choose(replace(asked, settings={}), np.random.default_rng(0))

    assert one.addresses.tolist() == two.addresses.tolist()
