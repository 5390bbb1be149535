"""Forecasts of a campaign's batches, and what came of them."""

from dataclasses import replace

import numpy as np
import pytest

from loop.domain.batch import ChosenBy
from loop.forecast import HITS, Promise, chances
from loop.outlook import GUESSED, came, kept, promises
from loop.review import reject
from tests.loop.campaigning import TINY, bench

WIDE = TINY.with_("batch", size=22, audit=0.2)
"""66 pairs: three batches of 22, of which the first is by lot and 4 wells of each later one."""


def up(plate, well):
    return "0.0" if well.perturbation.is_control else "2.0"


def down(plate, well):
    return "0.0" if well.perturbation.is_control else "-2.0"


def nothing(plate, well):
    return "0.0"


@pytest.fixture
def desk(tmp_path):
    """A campaign with its first 22 wells measured and learned from."""
    desk = bench(tmp_path, WIDE)
    desk.measured()
    desk.retrain()
    return desk


def test_nobody_can_tell_what_the_first_wells_by_lot_will_bring(tmp_path):
    batch = bench(tmp_path, WIDE).propose()
    assert batch.forecast is None
    assert batch.notes == ()


def test_the_expected_hits_are_the_calibrated_chances_and_what_lot_brought(desk):
    batch = desk.propose()
    believed = [c.belief["gi"] for c in batch.choices if c.chosen_by is ChosenBy.ACQUISITION]
    readout = desk.record.campaign.readout
    likely = chances(
        np.array([b.mean for b in believed]), np.array([b.sd for b in believed]), readout
    )
    rate = (len(desk.record.hits) + 0.5) / 23
    assert len(believed) == 18
    assert batch.forecast.value == pytest.approx(likely.sum() + 4 * rate)
    assert batch.forecast.random == pytest.approx(22 * rate)
    assert batch.forecast.unit == HITS
    assert batch.forecast.low < batch.forecast.value < batch.forecast.high
    assert GUESSED not in batch.notes


def test_a_forecast_is_stored_with_its_batch(desk):
    batch = desk.propose()
    assert desk.batch(batch.id) == batch
    assert desk.propose().forecast == batch.forecast


def test_with_few_audit_wells_the_surrogate_guesses_what_lot_brings_and_says_so(tmp_path):
    desk = bench(tmp_path, TINY.with_("batch", size=8, audit=0.25))
    desk.measured()
    desk.retrain()
    batch = desk.propose()
    assert batch.forecast.random is not None
    assert batch.notes == (GUESSED,)


def test_what_came_is_counted_without_reference_designs(tmp_path):
    desk = bench(tmp_path, WIDE.with_("batch", reference=["G01+G02|K562"]))
    desk.measured()
    desk.retrain()
    batch = desk.measured(value_of=up)
    found = came(desk.record, batch)
    assert (found.value, found.planned, found.measured) == (21, 21, 21)
    assert found.forecast == batch.forecast
    assert found.inside == (batch.forecast.low <= 21 <= batch.forecast.high)
    assert kept(desk.record) == (int(found.inside), 1)


def test_of_what_is_not_measured_yet_nothing_came(desk):
    batch = desk.dispatched()
    assert came(desk.record, batch) is None
    assert kept(desk.record) == (0, 0)


def test_where_half_is_measured_half_was_expected(desk):
    batch = desk.dispatched()
    rows = desk.rows(batch.id, up)
    controls = [row for row in rows if row.endswith(",0.0")]
    desk.ingest(controls + [row for row in rows if row not in controls][:11])
    found = came(desk.record, desk.batch(batch.id))
    assert (found.value, found.planned, found.measured) == (11, 22, 11)
    assert found.forecast.value == pytest.approx(batch.forecast.value / 2)
    assert found.forecast.random == pytest.approx(batch.forecast.random / 2)
    assert found.forecast.low <= found.forecast.value <= found.forecast.high


def test_promises_are_those_of_chosen_wells_that_were_measured(desk):
    assert promises(desk.record) == []
    batch = desk.measured(value_of=up)
    [told] = promises(desk.record)
    chosen = [each for each in batch.choices if each.chosen_by is ChosenBy.ACQUISITION]
    likely = chances(
        np.array([each.belief["gi"].mean for each in chosen]),
        np.array([each.belief["gi"].sd for each in chosen]),
        desk.record.campaign.readout,
    )
    assert told == Promise(pytest.approx(likely.sum()), 18)


def test_a_batch_that_was_turned_down_promised_nothing(desk):
    turned_down = desk.propose()
    reject(desk.services, turned_down.id, "wrong genes")
    desk.measured(value_of=up)
    assert len(promises(desk.record)) == 1
    assert kept(desk.record)[1] == 1


def test_promises_that_were_not_kept_lower_the_forecasts_after_the_first(tmp_path):
    desk = bench(tmp_path, TINY.with_("batch", size=16, audit=0.2))
    desk.measured()
    desk.retrain()
    for _ in range(2):
        desk.measured(value_of=nothing)
        desk.retrain()
    last = desk.propose()
    mine = [each.belief["gi"] for each in last.choices if each.chosen_by is ChosenBy.ACQUISITION]
    likely = chances(
        np.array([each.mean for each in mine]),
        np.array([each.sd for each in mine]),
        desk.record.campaign.readout,
    )
    lot = len(last.choices) - len(mine)
    rate = last.forecast.random / len(last.choices)
    assert len(promises(desk.record)) == 2
    assert last.forecast.value < likely.sum() + lot * rate


@pytest.mark.parametrize(
    ("goal", "value_of", "best"), [("maximize", up, max), ("minimize", down, min)]
)
def test_extremes_are_forecast_as_a_gain_past_the_best(tmp_path, goal, value_of, best):
    desk = bench(tmp_path, replace(WIDE, top={"goal": goal}).with_("readout", threshold=None))
    desk.measured()
    desk.retrain()
    before = best(desk.record.observed.value(each.key, "gi") for each in desk.record.tested)
    batch = desk.measured(value_of=value_of)
    assert batch.forecast.unit == "sd"
    assert 0 <= batch.forecast.low <= batch.forecast.value <= batch.forecast.high
    assert batch.forecast.random is None
    now = best(desk.record.observed.value(each.key, "gi") for each in desk.record.tested)
    assert came(desk.record, batch).value == pytest.approx(abs(now - before))


def test_a_map_has_no_forecast(tmp_path):
    desk = bench(tmp_path, replace(WIDE, top={"goal": "learn-map"}))
    desk.measured()
    desk.retrain()
    assert desk.propose().forecast is None
