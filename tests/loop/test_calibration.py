import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from loop.calibration import (
    LEAST_WELLS,
    NORMAL_QUANTILE,
    USUAL_GROWTH,
    Calibration,
    Foretold,
    calibrate,
    cross_coverage,
    tailed_nll,
    tailed_quantile,
    tailed_scale,
)


def drawn(kind, n, rng):
    """Values of a truth about which the belief's SD is wrong by a factor of 3."""
    if kind == "normal":
        noise = rng.normal(size=n)
    elif kind == "heavy-tailed":
        noise = rng.standard_t(2, size=n)
    else:
        noise = rng.exponential(size=n) - 1
    mean = rng.normal(size=n)
    return mean + 3 * noise, mean, np.ones(n)


def half_widths(told, mean, sd):
    return told.quantile * told.growth(mean) * sd


@pytest.mark.parametrize("kind", ["normal", "heavy-tailed", "skewed"])
@pytest.mark.parametrize("wells", [20, 60, 400])
def test_calibrated_intervals_cover_about_90_percent_of_new_wells(kind, wells):
    rng = np.random.default_rng(7)
    covered = []
    for _ in range(300):
        told = calibrate(*drawn(kind, wells, rng))
        values, mean, sd = drawn(kind, 200, rng)
        covered.append(np.mean(np.abs(values - mean) <= half_widths(told, mean, sd)))
    # Split-conformal theory: between 0.9 and 0.9 + 1 / (n + 1), on average over calibrations.
    assert 0.9 - 0.015 <= np.mean(covered) <= 0.9 + 1 / (wells + 1) + 0.01


def surprising(n, rng, heavy):
    """A screen on which large predicted effects are far less certain than the belief says.

    The error's SD is 1 for ordinary effects and rises to 2.5 for large ones downwards, and to
    1.5 upwards.
    """
    mean = rng.normal(size=n)
    most = np.where(mean < 0, 1.5, 0.5)
    noise = rng.standard_t(3, n) / math.sqrt(3) if heavy else rng.normal(size=n)
    return mean + noise * (1 + most * np.clip((np.abs(mean) - 1) / 1.5, 0, 1)), mean, np.ones(n)


def chosen_of(values, mean, sd, share=0.08):
    """The wells that a greedy choice among these would have made, as foretold."""
    rows = np.argsort(-np.abs(mean))[: round(share * len(mean))]
    return Foretold(mean[rows], np.abs(values - mean)[rows] / sd[rows])


@pytest.mark.parametrize("heavy", [False, True])
def test_intervals_cover_in_every_bin_of_the_predicted_effect_where_one_quantile_does_not(heavy):
    rng = np.random.default_rng(11)
    edges = (-np.inf, -2.0, -1.0, 1.0, 2.0, np.inf)
    now, before = [], []
    for _ in range(120):
        chosen = chosen_of(*surprising(3000, rng, heavy))
        audit = surprising(150, rng, heavy)
        told = calibrate(*audit, chosen)
        one = np.quantile(np.abs(audit[0] - audit[1]), 0.9)
        values, mean, sd = surprising(6000, rng, heavy)
        place = np.digitize(mean, edges[1:-1])
        error = np.abs(values - mean)
        for covered, half in ((now, half_widths(told, mean, sd)), (before, np.full(6000, one))):
            covered.append([np.mean((error <= half)[place == each]) for each in range(5)])
    assert np.all(np.abs(np.mean(now, axis=0) - 0.9) < 0.05), np.mean(now, axis=0)
    assert np.mean(before, axis=0)[0] < 0.7


def test_wells_that_were_foretold_too_surely_widen_large_effects_of_their_sign_alone():
    rng = np.random.default_rng(2)
    audit = drawn("normal", 200, rng)
    foretold = Foretold(np.full(100, 3.0), np.full(100, 30.0))
    told = calibrate(*audit, foretold)
    plain = calibrate(*audit)
    assert told.above > 2 * plain.above
    assert told.below == plain.below
    assert told.growth(np.array([told.centre]))[0] == 1.0
    assert told.quantile == pytest.approx(plain.quantile, rel=0.15)


def test_foretold_wells_without_a_value_tell_nothing():
    rng = np.random.default_rng(2)
    audit = drawn("normal", 50, rng)
    nothing = Foretold(np.full(9, 3.0), np.full(9, np.nan))
    assert calibrate(*audit, nothing) == calibrate(*audit)


def test_where_no_large_effect_was_met_the_usual_growth_stands():
    told = calibrate(np.linspace(-1, 1, 40), np.tile([1.0, -1.0], 20), np.ones(40))
    assert (told.below, told.above) == (USUAL_GROWTH, USUAL_GROWTH)


def test_a_surrogate_that_predicts_the_same_everywhere_has_one_width():
    told = calibrate(np.linspace(-1, 1, 40), np.full(40, 3.0), np.ones(40))
    np.testing.assert_array_equal(told.growth(np.full(5, 3.0)), 1.0)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    wells=st.integers(LEAST_WELLS, 120),
    size=st.floats(1e-4, 1e4),
    shift=st.floats(-100, 100),
)
def test_calibration_does_not_depend_on_unit_direction_or_order(seed, wells, size, shift):
    rng = np.random.default_rng(seed)
    values, mean, sd = drawn("heavy-tailed", wells, rng)
    foretold = Foretold(rng.normal(size=30) * 2, np.abs(rng.normal(size=30)))
    told = calibrate(values, mean, sd, foretold)
    order = rng.permutation(wells)
    moved = [size * (each[order] + shift) for each in (values, mean)]
    again = calibrate(*moved, size * sd[order], foretold)
    turned = calibrate(-values, -mean, sd, Foretold(-foretold.standing, foretold.error))
    for name in ("temperature", "quantile", "below", "above"):
        assert getattr(again, name) == pytest.approx(getattr(told, name), rel=1e-6)
    assert (turned.above, turned.below) == pytest.approx((told.below, told.above))
    assert turned.quantile == pytest.approx(told.quantile)
    assert min(told.below, told.above) >= 1
    assert again.centre == pytest.approx(size * (told.centre + shift), rel=1e-6, abs=1e-9)


@given(st.floats(1, 4), st.floats(1, 4), st.floats(0, 50), st.floats(0, 50))
def test_intervals_never_narrow_towards_larger_effects(below, above, near, far):
    told = Calibration(below=below, above=above)
    near, far = sorted((near, far))
    for sign, most in ((-1, below), (1, above)):
        narrow, wide = told.growth(np.array([sign * near, sign * far]))
        assert 1 <= narrow <= wide <= most + 1e-12


def test_the_quantile_of_20_wells_is_the_19th_smallest_ratio():
    ratios = np.arange(1.0, 21.0)
    values = np.random.default_rng(0).permutation(ratios) * np.where(ratios % 2, 1, -1)
    told = calibrate(values * 0.5 + 4.0, np.full(20, 4.0), np.full(20, 0.5))
    # ceil(21 x 0.9) = ceil(18.9) = 19.
    assert told.quantile == 19.0
    assert told.temperature == pytest.approx(tailed_scale(ratios))
    assert told.wells == 20


@pytest.mark.parametrize(("wells", "rank"), [(20, 19), (29, 27), (30, 28), (39, 36), (99, 90)])
def test_the_rank_is_exact_where_a_tenth_divides_evenly(wells, rank):
    ratios = np.arange(1.0, wells + 1)
    assert calibrate(ratios, np.zeros(wells), np.ones(wells)).quantile == rank


def test_with_too_few_wells_the_surrogate_is_taken_at_its_word():
    few = LEAST_WELLS - 1
    told = calibrate(np.full(few, 9.0), np.zeros(few), np.ones(few))
    assert told == Calibration(1.0, NORMAL_QUANTILE, 0)
    np.testing.assert_array_equal(told.growth(np.array([-99.0, 0.0, 99.0])), 1.0)


def test_a_belief_that_was_right_keeps_its_sd():
    rng = np.random.default_rng(3)
    told = calibrate(rng.normal(size=20_000), np.zeros(20_000), np.ones(20_000))
    assert told.temperature == pytest.approx(1.0, abs=0.02)
    assert told.quantile == pytest.approx(NORMAL_QUANTILE, abs=0.04)


def test_a_few_wild_wells_move_neither_the_temperature_nor_a_comparison_much():
    rng = np.random.default_rng(3)
    values, mean, sd = rng.normal(size=200), np.zeros(200), np.ones(200)
    wild = np.where(np.arange(200) < 4, 50.0, values)
    calm = calibrate(values, mean, sd).temperature
    assert calibrate(wild, mean, sd).temperature < 1.1 * calm
    assert np.sqrt(np.mean(wild**2)) > 5 * calm
    assert tailed_nll(wild, mean, sd).mean() < tailed_nll(values, mean, sd).mean() + 0.4


@pytest.mark.parametrize("kind", ["normal", "heavy-tailed"])
def test_cross_coverage_is_that_of_wells_not_calibrated_on(kind):
    rng = np.random.default_rng(5)
    told = [cross_coverage(*drawn(kind, 25, rng)) for _ in range(800)]
    # Calibrated on 20 wells: 19 / 21 = 0.905. On all 25, their own would give 24 / 25 = 0.96.
    assert 0.89 <= np.mean(told) <= 0.92


def test_cross_coverage_needs_20_wells_beside_each_fold():
    rng = np.random.default_rng(5)
    assert cross_coverage(*drawn("normal", 24, rng)) is None
    assert cross_coverage(*drawn("normal", 25, rng)) is not None


def test_the_density_is_students_with_four_degrees_of_freedom():
    values, mean, sd = np.linspace(-9, 9, 7), np.full(7, 0.5), np.linspace(0.5, 3, 7)
    whole = stats.t(4, mean, 0.8310034937777917 * sd)
    np.testing.assert_allclose(tailed_nll(values, mean, sd), -whole.logpdf(values))
    assert tailed_quantile(0.9) == pytest.approx(stats.t(4).ppf(0.95) * 0.8310034937777917)


def test_the_most_likely_sd_is_the_one_with_the_least_loss():
    rng = np.random.default_rng(8)
    errors = rng.standard_t(3, size=300) * 2
    best = tailed_scale(errors)
    loss = [tailed_nll(errors, 0 * errors, np.full(300, best * f)).mean() for f in (0.97, 1, 1.03)]
    assert loss[1] == min(loss)
    assert tailed_scale(rng.normal(size=200_000)) == pytest.approx(1.0, abs=0.01)
    assert tailed_scale(np.zeros(9)) == 0.0
