"""Space filling: distances by hand, and the farthest-first batch by brute force."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from acquisition.limits.keeper import Keeper
from acquisition.rules.space_filling import SpaceFilling
from acquisition.rules.spread import Placing, Points
from loop.domain.goal import Goal
from loop.ports.arrays import Combinations, Representations, View
from loop.ports.engine import BatchRequest, Group, Limits
from loop.space import VirtualSpace
from tests.acquisition.asking import ask, nothing_pending
from tests.acquisition.small_space import SmallSpace


def representations(seed: int = 0, unknown: tuple[int, ...] = (2, 5)) -> Representations:
    """URs of the small space's nine perturbagens, two unknown, and of its two contexts."""
    known = np.ones(9, dtype=np.bool_)
    known[list(unknown)] = False
    urs = np.where(known[:, None], np.random.default_rng(seed).normal(size=(9, 4)), 0.0)
    return Representations(urs, known, np.eye(2), np.zeros((9, 1)))


def first_batch(**changes: Any) -> BatchRequest:
    """Six of the small space, nothing known."""
    fields: dict[str, Any] = {
        "taken": np.empty(0, dtype=np.int64),
        "pending": nothing_pending(),
        "size": 6,
        "representations": representations(),
        "surrogate": None,
    }
    return ask(Goal.LEARN_MAP, **(fields | changes))


def _dense(points: Points, strangers: int) -> np.ndarray:
    """The same points with a column for each stranger."""
    own = np.zeros((len(points), strangers))
    for row, (names, strengths) in enumerate(zip(points.strangers, points.strengths, strict=True)):
        for name, strength in zip(names, strengths, strict=True):
            if name >= 0:
                own[row, name] += strength
    return np.concatenate([points.known, own], axis=1)


def test_a_perturbation_is_the_sum_of_its_perturbagens_by_their_doses() -> None:
    """Two known at 1 and -1, one unknown; doses 1 and 100, so strengths 1/2 and 1."""
    urs = Representations(
        np.array([[3.0], [1.0], [0.0]]),
        np.array([True, True, False]),
        np.zeros((1, 0)),
        np.array([[0.0, 2.0], [0.0, 2.0], [0.0, 2.0]]),
    )
    both = Combinations(
        np.array([[0, 1], [0, 2], [2, -1]]),
        np.array([[1, 0], [0, 1], [0, -1]]),
        np.zeros(3, dtype=np.int64),
    )

    points = Placing(urs).points(both)

    # 1 - 1/2; 1/2 and the stranger at 1; the stranger at 1/2.
    assert _dense(points, 3)[:, [0, 3]].tolist() == [[0.5, 0.0], [0.5, 1.0], [0.0, 0.5]]
    assert points.square_lengths() == pytest.approx([0.25, 1.25, 0.25])
    assert points.products(points[1:2])[:, 0] == pytest.approx([0.25, 1.25, 0.5])


def test_views_count_alike_whatever_their_units() -> None:
    urs = np.random.default_rng(0).normal(size=(5, 3))
    known = np.ones(5, dtype=np.bool_)
    views = (View("a", 1, known), View("b", 2, known))
    plain = Representations(urs, known, np.zeros((1, 0)), np.zeros((5, 1)), views)
    scaled = replace(plain, perturbagens=urs * np.array([100.0, 1.0, 1.0]) + 7.0)
    singles = Combinations(np.arange(5)[:, None], np.zeros((5, 1), np.int64), np.zeros(5, np.int64))

    one, two = Placing(plain).points(singles), Placing(scaled).points(singles)

    assert one.known == pytest.approx(two.known, abs=1e-6)
    assert one.square_lengths().mean() == pytest.approx(1.0)


def test_more_columns_than_perturbagens_are_turned_into_fewer_and_nothing_else() -> None:
    wide = np.random.default_rng(0).normal(size=(4, 50))
    known = np.ones(4, dtype=np.bool_)
    urs = Representations(wide, known, np.zeros((1, 0)), np.zeros((4, 1)))
    singles = Combinations(np.arange(4)[:, None], np.zeros((4, 1), np.int64), np.zeros(4, np.int64))
    centred = wide - wide.mean(axis=0)

    points = Placing(urs).points(singles)

    assert points.known.shape == (4, 4)
    expected = centred @ centred.T / np.square(centred).sum(axis=1).mean()
    assert points.products(points) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("given", [representations(), None])
def test_each_choice_is_the_farthest_from_all_before_it(given: Representations | None) -> None:
    asked = first_batch(
        taken=np.array([7, 20]), pending=SmallSpace().unrank(np.array([41])), representations=given
    )
    every = np.arange(len(asked.space))
    combinations = asked.space.unrank(every)
    points = Placing(given).points(combinations)
    strangers = np.where(points.strangers >= 2**40, points.strangers - 2**40 + 9, points.strangers)
    dense = _dense(replace(points, strangers=strangers), 11)
    on_offer = np.setdiff1d(every[asked.space.permitted(combinations)], asked.taken)

    chosen = SpaceFilling().choose(asked, np.random.default_rng(0))

    behind = [7, 20, 41]
    for address, score in zip(chosen.addresses.tolist(), chosen.scores, strict=True):
        apart = np.linalg.norm(dense[:, None] - dense[behind][None], axis=2).min(axis=1)
        assert apart[address] == pytest.approx(apart[on_offer].max(), rel=1e-5)
        assert score == pytest.approx(apart[address], rel=1e-5)
        behind.append(address)


def test_without_urs_every_perturbagen_is_used_before_one_is_used_again() -> None:
    asked = first_batch(size=4, representations=None, space=SmallSpace(contexts=1))

    chosen = SpaceFilling().choose(asked, np.random.default_rng(0))

    used = asked.space.unrank(chosen.addresses).components
    assert len(set(used.ravel().tolist())) == 8


def test_the_first_is_the_most_typical_and_says_so() -> None:
    chosen = SpaceFilling().choose(first_batch(), np.random.default_rng(0))

    assert chosen.reasons[0].startswith("The most typical of 70 of 70 candidates")
    assert " away from the nearest perturbation measured, pending or chosen" in chosen.reasons[1]


def test_the_order_of_perturbagens_changes_nothing() -> None:
    order = np.random.default_rng(3).permutation(9)
    plain = first_batch(space=_Open(), representations=representations(unknown=()))
    urs = representations(unknown=()).perturbagens
    moved = replace(
        plain, representations=replace(representations(unknown=()), perturbagens=urs[order])
    )

    one = SpaceFilling().choose(plain, np.random.default_rng(0))
    two = SpaceFilling().choose(moved, np.random.default_rng(0))

    space = SmallSpace()
    names = order[space.unrank(two.addresses).components]
    assert np.sort(names, axis=1).tolist() == space.unrank(one.addresses).components.tolist()


class _Open(SmallSpace):
    """Nothing is forbidden."""

    def on_offer(self) -> int:
        return len(self)

    def permitted(self, combinations: Combinations) -> np.ndarray:
        return np.ones(len(combinations), dtype=np.bool_)


def test_a_short_draw_that_limits_exhaust_is_followed_by_a_longer_one() -> None:
    asked = first_batch(size=4, max_uses=1, settings={"pool": 1})

    for seed in range(20):
        chosen = SpaceFilling().choose(asked, np.random.default_rng(seed))
        assert np.bincount(asked.space.unrank(chosen.addresses).components.ravel()).max() == 1


def test_whom_one_groups_turn_keeps_out_the_next_turn_lets_in() -> None:
    """At first only the group that is owed the most is served, then whoever is owed as much."""
    names = np.arange(9)
    groups = (Group("a", np.isin(names, [2, 3]), 3), Group("b", np.isin(names, [6, 7]), 2))
    asked = first_batch(size=5, representations=None, limits=Limits(groups=groups))
    space = asked.space
    every = space.unrank(np.arange(len(space)))
    points = Placing(None).points(every)
    lengths = points.square_lengths()
    apart = lengths[:, None] - 2 * points.products(points) + lengths
    for seed in range(5):
        keeper, left = Keeper(asked.limits, 5), space.permitted(every)

        chosen = SpaceFilling().choose(asked, np.random.default_rng(seed)).addresses.tolist()

        for at, address in enumerate(chosen):
            nearest = apart[:, chosen[:at]].min(axis=1, initial=np.inf)
            free = left & keeper.allowed(every)
            assert nearest[address] >= nearest[free].max() - 1e-6
            keeper.count(every[address : address + 1])
            left[address] = False


def test_a_hundred_million_candidates_are_drawn_from() -> None:
    space = VirtualSpace([1] * 15_000, 1, (2,))
    asked = first_batch(
        space=space,
        pending=space.unrank(np.empty(0, dtype=np.int64)),
        representations=None,
        size=64,
        uses=np.zeros(15_000, dtype=np.int64),
        settings={"pool": 2_000},
    )

    chosen = SpaceFilling().choose(asked, np.random.default_rng(0))

    assert len(set(chosen.addresses.tolist())) == 64
    assert chosen.addresses.max() > 10**7
    assert "2,000 of 112,492,500 candidates" in chosen.reasons[0]


def test_it_loads_no_torch() -> None:
    code = "import sys, acquisition.rules.space_filling; print('torch' in sys.modules)"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert said.stdout.strip() == b"False"
