"""Forecasts: their arithmetic by hand, and that their intervals hold what really comes."""

import math

import numpy as np
import pytest
from scipy import stats

from loop.domain.goal import Readout
from loop.forecast import (
    ENOUGH_BY_LOT,
    FIRST_MISJUDGEMENT,
    LATER_MISJUDGEMENT,
    SHARED_MISJUDGEMENT,
    USUAL_SHIFT,
    ByLot,
    Promise,
    by_lot,
    chances,
    forecast_gain,
    forecast_hits,
    trust,
)

TWO_SIDED = Readout("gi", low=-2.0, high=1.0)
NONE = np.zeros(0)


def rng(seed=0):
    return np.random.default_rng(seed)


def hits(chosen, audit=0, lot=None, values=NONE, past=(), seed=0):
    return forecast_hits(np.asarray(chosen), audit, lot, values, past, rng(seed))


def test_a_chance_is_the_mass_past_both_thresholds():
    mean, sd = np.array([0.0, 1.0, -5.0]), np.array([1.0, 2.0, 0.5])
    expected = stats.norm.cdf(-2, mean, sd) + stats.norm.sf(1, mean, sd)
    np.testing.assert_allclose(chances(mean, sd, TWO_SIDED), expected)


def test_a_side_that_does_not_count_has_no_mass():
    upwards = Readout("gi", high=1.0)
    np.testing.assert_allclose(
        chances(np.array([0.0]), np.array([1.0]), upwards), stats.norm.sf(1.0)
    )


def test_without_any_doubt_a_chance_is_0_or_1():
    told = chances(np.array([0.0, 1.0, -2.0, 7.0]), np.zeros(4), TWO_SIDED)
    assert told.tolist() == [0.0, 1.0, 1.0, 1.0]


def test_enough_audit_wells_tell_the_rate_by_lot_and_the_surrogate_is_not_asked():
    told = by_lot(3, ENOUGH_BY_LOT, np.array([0.9, 0.9]))
    assert told == ByLot(3.5, 17.5, True)
    assert told.rate == pytest.approx(3.5 / 21)


def test_with_too_few_audit_wells_the_surrogate_counts_beside_them():
    told = by_lot(1, 4, np.array([0.25, 0.25, 0.5, 1.0]))
    assert told == ByLot(3.5, 5.5, False)


def test_without_audit_wells_nobody_can_tell_the_rate_by_lot():
    assert by_lot(0, 0, NONE) is None
    assert hits([0.5], audit=2) is None
    told = hits([0.5])
    assert told is not None
    assert told.random is None


def test_the_expected_hits_are_the_chances_and_what_lot_brings():
    told = hits([0.5, 0.25, 0.25], audit=2, lot=ByLot(1, 3, True))
    assert told is not None
    assert told.value == pytest.approx(1.0 + 2 * 0.25)
    assert told.random == pytest.approx(5 * 0.25)
    assert told.unit == "hits"
    assert 0 <= told.low <= told.value <= told.high <= 5


def test_the_same_seed_forecasts_the_same():
    assert hits([0.5] * 9, seed=3) == hits([0.5] * 9, seed=3)


def test_a_batch_by_lot_alone_is_forecast_by_the_rate():
    told = hits(NONE, audit=100, lot=ByLot(100.5, 900.5, True))
    assert told is not None
    assert told.value == told.random == pytest.approx(100 * 100.5 / 1001)
    low, high = stats.betabinom.ppf((0.05, 0.95), 100, 100.5, 900.5)
    assert (told.low, told.high) == (pytest.approx(low, abs=1), pytest.approx(high, abs=1))


KEPT = [Promise(30.0, 30)] * 6


def test_doubt_that_wells_have_in_common_widens_the_interval_and_moves_nothing():
    alone = hits([0.3] * 100, past=KEPT)
    together = hits([0.3] * 100, values=np.array([10.0, 50.0]), past=KEPT)
    assert alone is not None
    assert together is not None
    assert together.value == alone.value
    assert together.high - together.low > 1.3 * (alone.high - alone.low)
    assert hits([0.3] * 100, values=np.array([20.0, 100.0]), past=KEPT) == together


def test_doubt_that_earlier_rounds_have_shown_already_is_not_counted_twice():
    values = 30 + np.linspace(-3, 3, 101)
    alone, together = hits([0.3] * 100, past=KEPT), hits([0.3] * 100, values=values, past=KEPT)
    assert alone is not None
    assert together is not None
    assert together.low == pytest.approx(alone.low, abs=1)
    assert together.high == pytest.approx(alone.high, abs=1)


def test_broken_promises_lower_the_next_and_kept_ones_narrow_it():
    fresh = hits([0.3] * 100)
    broken = hits([0.3] * 100, past=[Promise(30.0, 12)] * 4)
    kept = hits([0.3] * 100, past=KEPT)
    assert fresh is not None
    assert broken is not None
    assert kept is not None
    assert 12 < broken.value < 20
    assert 28 < kept.value < 30
    assert kept.high - kept.low < fresh.high - fresh.low


def test_promises_that_were_wide_of_the_mark_either_way_widen_the_next():
    steady = trust([Promise(40.0, 40)] * 5)
    wild = trust([Promise(40.0, came) for came in (40, 10, 90, 12, 100)])
    assert wild[1] > 1.5 * steady[1]


def test_the_first_round_tells_nothing_of_the_later_ones():
    assert trust([]) == (0.0, FIRST_MISJUDGEMENT)
    assert trust([Promise(50.0, 5)]) == trust([Promise(50.0, 50)])
    assert trust([Promise(50.0, 5)])[1] < FIRST_MISJUDGEMENT


def test_trust_is_drawn_towards_what_is_usual():
    usual = trust([Promise(40.0, 20)])[0]
    once = trust([Promise(40.0, 20)] * 2)[0]
    often = trust([Promise(40.0, 20)] * 8)[0]
    assert usual == pytest.approx(USUAL_SHIFT)
    assert math.log(0.5) < often < once < usual < 0.0


def test_no_more_hits_are_promised_than_there_are_wells():
    told = hits([0.95] * 20, past=[Promise(10.0, 30)] * 5)
    assert told is not None
    assert told.value <= 20
    assert told.high == 20


@pytest.mark.parametrize("rate", [0.02, 0.3, 0.7])
def test_intervals_hold_nine_of_ten_rounds_of_campaigns_that_judge_as_is_usual(rate):
    """Truth is drawn as the forecast supposes; counts make intervals hold a little more."""
    draw, inside = rng(1), []
    for number in range(300):
        shift = USUAL_SHIFT + SHARED_MISJUDGEMENT * draw.standard_normal()
        promises: list[Promise] = []
        for at in range(3):
            sd = LATER_MISJUDGEMENT if at else FIRST_MISJUDGEMENT
            factor = math.exp(shift * (at > 0) + sd * draw.standard_normal() - 0.5 * sd**2)
            chance = np.clip(rate * draw.uniform(0.5, 1.5, 60), 0, 1)
            came = int((draw.uniform(size=60) < chance * factor).sum())
            told = hits(chance, past=promises, seed=number)
            assert told is not None
            inside.append(told.low <= came <= told.high)
            promises.append(Promise(float(chance.sum()), came))
    assert 0.86 <= np.mean(inside) <= 0.97


def test_a_gain_is_the_mean_of_the_largest_past_the_best():
    mean, sd = np.array([1.0, 0.0, 2.0]), np.array([1.0, 2.0, 0.5])
    draws = mean + sd * rng(7).standard_normal((200_000, 3))
    gain = np.maximum(draws.max(axis=1) - 1.5, 0)
    told = forecast_gain(mean, sd, 1.5, False, NONE, "sd", rng())
    assert told is not None
    assert told.value == pytest.approx(gain.mean(), rel=0.05)
    assert told.low == pytest.approx(np.quantile(gain, 0.05), abs=0.05)
    assert told.high == pytest.approx(np.quantile(gain, 0.95), rel=0.05)
    assert (told.random, told.unit) == (None, "sd")


def test_maximising_and_minimising_the_negative_gain_the_same():
    mean, sd = np.array([1.0, 0.0, 2.0]), np.array([1.0, 2.0, 0.5])
    up = forecast_gain(mean, sd, 1.5, False, NONE, "", rng())
    assert up == forecast_gain(-mean, sd, -1.5, True, NONE, "", rng())


def test_an_empty_batch_gains_nothing_that_could_be_told():
    assert forecast_gain(NONE, NONE, 0.0, False, NONE, "", rng()) is None
