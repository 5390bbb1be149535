import numpy as np
import pytest

from loop.calibration import (
    LEAST_WELLS,
    NORMAL_QUANTILE,
    Calibration,
    calibrate,
    cross_coverage,
    gaussian_nll,
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


@pytest.mark.parametrize("kind", ["normal", "heavy-tailed", "skewed"])
@pytest.mark.parametrize("wells", [20, 60, 400])
def test_calibrated_intervals_cover_about_90_percent_of_new_wells(kind, wells):
    rng = np.random.default_rng(7)
    covered = []
    for _ in range(300):
        quantile = calibrate(*drawn(kind, wells, rng)).quantile
        values, mean, sd = drawn(kind, 200, rng)
        covered.append(np.mean(np.abs(values - mean) <= quantile * sd))
    # Split-conformal theory: between 0.9 and 0.9 + 1 / (n + 1), on average over calibrations.
    assert 0.9 - 0.01 <= np.mean(covered) <= 0.9 + 1 / (wells + 1) + 0.01


def test_the_quantile_of_20_wells_is_the_19th_smallest_ratio():
    ratios = np.arange(1.0, 21.0)
    values = np.random.default_rng(0).permutation(ratios) * np.where(ratios % 2, 1, -1)
    told = calibrate(values * 0.5 + 4.0, np.full(20, 4.0), np.full(20, 0.5))
    # ceil(21 x 0.9) = ceil(18.9) = 19.
    assert told.quantile == 19.0
    assert told.temperature == pytest.approx(np.sqrt(np.mean(ratios**2)))
    assert told.wells == 20


@pytest.mark.parametrize(("wells", "rank"), [(20, 19), (29, 27), (30, 28), (39, 36), (99, 90)])
def test_the_rank_is_exact_where_a_tenth_divides_evenly(wells, rank):
    ratios = np.arange(1.0, wells + 1)
    assert calibrate(ratios, np.zeros(wells), np.ones(wells)).quantile == rank


def test_with_too_few_wells_the_surrogate_is_taken_at_its_word():
    few = LEAST_WELLS - 1
    told = calibrate(np.full(few, 9.0), np.zeros(few), np.ones(few))
    assert told == Calibration(1.0, NORMAL_QUANTILE, 0)


def test_a_belief_that_was_right_keeps_its_sd():
    rng = np.random.default_rng(3)
    told = calibrate(rng.normal(size=20_000), np.zeros(20_000), np.ones(20_000))
    assert told.temperature == pytest.approx(1.0, abs=0.02)
    assert told.quantile == pytest.approx(NORMAL_QUANTILE, abs=0.04)


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


def test_the_density_is_that_of_a_normal_belief():
    told = gaussian_nll(np.array([1.0]), np.array([0.0]), np.array([2.0]))
    assert told[0] == pytest.approx(0.125 + np.log(2.0) + 0.918938533)
