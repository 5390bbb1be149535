import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop.domain.perturbation import Component, Perturbation
from loop.parts import FULL_ORDER, decimals_for, pieces, rounded, taken_apart


def whole_of(order):
    return Perturbation(tuple(Component(f"P{at}") for at in range(order)), "K562")


def means(whole, seed):
    rng = np.random.default_rng(seed)
    return {
        each.key: float(rng.normal(scale=10.0 ** rng.integers(-3, 4))) for each in pieces(whole)
    }


@given(order=st.integers(0, 9), seed=st.integers(0, 2**32))
def test_the_parts_sum_to_the_mean_at_any_order(order, seed):
    whole = whole_of(order)
    mean_of = means(whole, seed)
    parts = taken_apart(whole, mean_of)
    added = [parts.control, *parts.additive.values(), *parts.pairs.values(), parts.rest]
    size = sum(map(abs, mean_of.values()))

    assert parts.mean == mean_of[whole.key]
    assert math.fsum(added) == pytest.approx(parts.mean, rel=1e-9, abs=1e-12 * size)
    if 2 < order <= FULL_ORDER:
        assert math.fsum(parts.higher.values()) == pytest.approx(parts.rest, abs=1e-12 * size)
        assert len(parts.higher) == 2**order - 1 - order - order * (order - 1) // 2
    else:
        assert parts.higher == {}
    if order > 1:
        assert parts.interaction == pytest.approx(
            math.fsum([*parts.pairs.values(), parts.rest]), abs=1e-12 * size
        )


@given(order=st.integers(1, 5), seed=st.integers(0, 2**32))
def test_what_was_put_together_from_effects_comes_apart_into_them(order, seed):
    whole = whole_of(order)
    rng = np.random.default_rng(seed)
    effects = {
        subset: float(rng.normal())
        for size in range(order + 1)
        for subset in combinations(whole.components, size)
    }
    mean_of = {
        piece.key: sum(e for part, e in effects.items() if set(part) <= set(piece.components))
        for piece in pieces(whole)
    }
    parts = taken_apart(whole, mean_of)

    found = {**parts.additive, **parts.pairs, **parts.higher}
    assert parts.control == pytest.approx(effects[()])
    assert found == {
        "+".join(map(str, part)): pytest.approx(effect, abs=1e-9)
        for part, effect in effects.items()
        if part
    }


@pytest.mark.parametrize(("order", "count"), [(0, 1), (1, 2), (2, 4), (5, 32), (6, 23), (12, 80)])
def test_the_number_of_pieces_is_bounded(order, count):
    assert len({each.key for each in pieces(whole_of(order))}) == count


@given(values=st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=12), decimals=st.integers(0, 4))
def test_rounded_values_sum_to_the_rounded_sum(values, decimals):
    shown = rounded(values, decimals)

    assert sum(shown) == pytest.approx(round(math.fsum(values), decimals), abs=10**-decimals * 1.01)
    for value, each in zip(values, shown, strict=True):
        assert abs(value - each) <= 1.01 * 10**-decimals
        assert each == round(each, decimals)


def test_rounding_gives_the_missing_digit_to_whoever_lost_most():
    assert rounded([0.33, 0.33, 0.34], 1) == [0.3, 0.3, 0.4]
    assert rounded([-0.33, -0.33, -0.34], 1) == [-0.3, -0.3, -0.4]


def test_the_largest_value_decides_the_decimals():
    assert [decimals_for(each) for each in ([0.0, 12.3], [0.0123], [], [4567.0])] == [1, 4, 2, 0]
