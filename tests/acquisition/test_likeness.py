"""Likeness to the batch, what it takes off a gain, and what money is worth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquisition.choosing.contributions import Scale
from acquisition.choosing.weighing import Weighing
from acquisition.limits.exchange_rate import exchange_rate
from acquisition.limits.likeness import Likeness
from loop.ports.arrays import Combinations, Representations
from tests.acquisition.small_space import SmallSpace


def _pairs(*pairs: tuple[int, int]) -> Combinations:
    components = np.array(pairs, dtype=np.int64)
    return Combinations(components, np.zeros_like(components), np.zeros(len(pairs), np.int64))


def _urs(rows: list[list[float]]) -> Representations:
    urs = np.array(rows)
    known = urs.any(axis=1)
    return Representations(urs, known, np.eye(1), np.zeros((len(rows), 1)))


def test_without_urs_likeness_is_the_share_of_common_perturbagens() -> None:
    likeness = Likeness(None, _pairs((0, 1), (0, 2), (2, 3), (3, -1)))

    likeness.add(_pairs((0, 1)))
    assert likeness.greatest.tolist() == [1.0, 0.5, 0.0, 0.0]

    likeness.add(_pairs((3, 4)))
    assert likeness.greatest.tolist() == [1.0, 0.5, 0.5, 0.5]


def test_with_urs_likeness_is_the_cosine_of_sums() -> None:
    urs = _urs([[1.0, 0.0], [0.0, 1.0], [2.0, 0.0], [0.0, -3.0], [0.0, 0.0]])
    likeness = Likeness(urs, _pairs((0, 1), (0, 2), (1, 2), (0, 3), (4, -1)))

    likeness.add(_pairs((2, -1)))

    # Opposites are as unlike as can be; what has no UR is compared by its perturbagens.
    cosines = [1 / 2**0.5, 1.0, 2 / 5**0.5, 1 / 10**0.5, 0.0]
    assert likeness.greatest == pytest.approx(cosines)


def test_opposites_are_no_less_alike_than_strangers() -> None:
    likeness = Likeness(_urs([[1.0], [-1.0]]), _pairs((1, -1)))

    likeness.add(_pairs((0, -1)))

    assert likeness.greatest.tolist() == [0.0]


def test_contexts_do_not_make_a_pair_another() -> None:
    everything = SmallSpace().unrank(np.arange(72))
    likeness = Likeness(None, everything)

    likeness.add(everything[5:6])

    assert likeness.greatest[[5, 41]].tolist() == [1.0, 1.0]


def _weigh(scale: Scale, diversity: float, greatest: list[float]) -> Weighing:
    likeness = Likeness(None, _pairs(*[(0, 1)] * len(greatest)))
    likeness._greatest = np.array(greatest)
    return Weighing(scale, 1.0, diversity, likeness, None)


def test_likeness_takes_off_what_lies_above_a_typical_candidate() -> None:
    gains, positions = np.array([3.0, 3.0, 3.0, 0.5]), np.arange(4)

    keys = _weigh(Scale.AMOUNT, 0.5, [0.0, 0.5, 1.0, 1.0])(gains, positions)

    assert keys.tolist() == [3.0, 2.5, 2.0, 0.5]


def test_likeness_takes_off_a_share_of_what_a_logarithm_stands_for() -> None:
    gains, positions = np.log([3.0, 3.0, 3.0]), np.arange(3)

    keys = _weigh(Scale.LOG, 1.0, [0.0, 0.5, 1.0])(gains, positions)

    assert np.exp(keys) == pytest.approx([3.0, 1.5, 0.0], abs=1e-9)


_costs = st.lists(st.integers(1, 9).map(float), min_size=6, max_size=30)


@given(_costs, st.integers(1, 6), st.integers(0, 10**6), st.floats(0, 1))
def test_at_the_exchange_rate_the_best_can_be_paid_and_a_little_below_it_cannot(
    costs: list[float], size: int, seed: int, share: float
) -> None:
    prices = np.array(costs)
    utilities = np.random.default_rng(seed).normal(size=len(prices))
    ordered = np.sort(prices)
    least, most = ordered[:size].sum(), ordered[-size:].sum()
    money = float(least + share * (most - least))

    rate = exchange_rate(utilities, prices, size, money)

    def spent(rate: float) -> float:
        return float(prices[np.argsort(rate * prices - utilities, kind="stable")[:size]].sum())

    assert spent(rate * (1 + 1e-9)) <= money + 1e-9
    assert rate == 0.0 or spent(rate * (1 - 1e-9)) > money - 1e-9


def test_the_batch_at_the_exchange_rate_is_the_best_of_its_price() -> None:
    rng = np.random.default_rng(2)
    utilities, prices = rng.normal(size=12), rng.uniform(1, 5, 12)
    rate = exchange_rate(utilities, prices, 4, 9.0)
    chosen = np.argsort(rate * prices - utilities)[:4]

    from itertools import combinations

    rivals = [list(some) for some in combinations(range(12), 4)]
    as_cheap = [some for some in rivals if prices[some].sum() <= prices[chosen].sum() + 1e-9]
    assert utilities[chosen].sum() >= max(utilities[some].sum() for some in as_cheap) - 1e-9
