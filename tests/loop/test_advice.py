"""Sentences about what to expect, and when stopping is worth considering."""

from dataclasses import replace

import pytest

from loop.advice import advice, against, number, outlook, span
from loop.domain.batch import Forecast
from loop.outlook import Came
from loop.status import campaign_status
from tests.loop.campaigning import TINY, bench

SIX = TINY.with_("batch", size=6, audit=0.34)
TOLD = Forecast(31.2, 22, 40, 12.1, "hits")


def nothing(plate, well):
    return "0.0"


def up(plate, well):
    return "0.0" if well.perturbation.is_control else "2.0"


@pytest.fixture
def desk(tmp_path):
    """A campaign of many small batches, with 24 wells by lot measured and learned from."""
    desk = bench(tmp_path, SIX)
    desk.measured(24)
    desk.retrain()
    return desk


def with_rounds(desk, count, value_of):
    """So many chosen rounds more, and the next batch."""
    for _ in range(count):
        desk.measured(value_of=value_of)
        desk.retrain()
    return desk.propose()


def test_what_is_expected_stands_beside_what_chance_would_bring(desk):
    batch = replace(desk.propose(), forecast=TOLD)
    assert advice(desk.record, batch) == (
        "Another 6 wells are expected to bring 31 ± 9.0 hits (22 to 40 nine times in ten); "
        "as many at random would bring 12."
    )


def test_replicates_are_no_further_hits(desk):
    batch = replace(desk.propose(), forecast=TOLD, replicates=2)
    assert advice(desk.record, batch).startswith("Another 6 perturbations are expected")
    one = replace(batch, choices=batch.choices[:1], replicates=1)
    assert advice(desk.record, one).startswith("Another well is expected to bring 31")


def test_without_a_forecast_there_is_no_advice(tmp_path):
    desk = bench(tmp_path, SIX)
    assert advice(desk.record, desk.propose()) is None
    assert outlook(desk.record) is None


def test_a_gain_is_told_in_the_readout_s_unit(desk):
    batch = replace(desk.propose(), forecast=Forecast(0.512, 0.1, 1.2, None, "sd"))
    assert advice(desk.record, batch) == (
        "Another 6 wells are expected to go 0.512 sd past the best so far "
        "(0.1 to 1.2 nine times in ten)."
    )


def test_stopping_is_not_spoken_of_before_two_chosen_rounds_were_measured(desk):
    hopeless = Forecast(1.0, 0.0, 2.0, 1.0, "hits")
    for rounds, spoken in ((0, False), (1, False), (1, True)):
        batch = replace(with_rounds(desk, rounds, nothing), forecast=hopeless)
        assert ("stopping" in advice(desk.record, batch)) is spoken


def test_no_more_than_chance_brings_is_worth_a_thought(desk):
    batch = with_rounds(desk, 2, up)
    chance = replace(batch, forecast=Forecast(3.0, 1.0, 5.0, 1.6, "hits"))
    assert advice(desk.record, chance).endswith(
        "would bring 1.6. That may be no more than chance brings: "
        "stopping, or another library, is worth considering."
    )
    for more in (Forecast(3.0, 1.0, 5.0, 1.4, "hits"), Forecast(3.0, 2.0, 5.0, 1.6, "hits")):
        told = advice(desk.record, replace(batch, forecast=more))
        assert told.endswith(f"would bring {more.random}.")


def test_a_third_of_the_best_round_is_worth_a_thought(desk):
    batch = with_rounds(desk, 2, up)
    poor = replace(batch, forecast=Forecast(1.9, 1.0, 3.0, 0.5, "hits"))
    assert "promises less than a third of what one of round" in advice(desk.record, poor)
    fair = replace(batch, forecast=Forecast(2.1, 1.0, 3.0, 0.5, "hits"))
    assert "stopping" not in advice(desk.record, fair)


def test_a_gain_below_the_noise_is_worth_a_thought(desk):
    batch = with_rounds(desk, 2, up)
    noise = next(iter(batch.choices)).belief["gi"].aleatoric_sd
    small = replace(batch, forecast=Forecast(0.1 * noise, 0.0, 0.9 * noise, None, "sd"))
    assert "less than the noise of one measurement" in advice(desk.record, small)
    large = replace(batch, forecast=Forecast(0.1 * noise, 0.0, 1.1 * noise, None, "sd"))
    assert "stopping" not in advice(desk.record, large)


def test_status_gives_the_advice_of_the_open_batch_and_then_what_came(desk):
    batch = desk.propose()
    told = campaign_status(desk.services, desk.name)
    assert told.outlook == advice(desk.record, batch)
    assert told.forecasts_kept == (0, 0)
    assert (told.rounds[-1].forecast, told.rounds[-1].came) == (batch.forecast, None)
    desk.measured()
    told = campaign_status(desk.services, desk.name)
    found = told.rounds[-1].came
    assert told.outlook.startswith(
        f"Batch {batch.id} was expected to bring {span(batch.forecast)} hits and brought "
        f"{found.value:.0f}; as many at random would have brought"
    )
    assert told.forecasts_kept == (int(found.inside), 1)
    assert sum(told.rounds[-1].tails) == told.hits


def test_looking_back_tells_the_trend_and_where_it_has_fallen(desk):
    desk.measured(value_of=up)
    desk.retrain()
    assert "newest rounds" not in outlook(desk.record)
    desk.measured(value_of=up)
    desk.retrain()
    told = outlook(desk.record)
    assert told.endswith("The newest rounds brought 6 and 6 hits.")
    desk.measured(value_of=nothing)
    assert outlook(desk.record).endswith(
        "The newest rounds brought 6, 6 and 0 hits. A well of the last brought less than a third "
        "of one of round 3: stopping, or another library, is worth considering."
    )


def test_expected_and_came_are_short_enough_for_a_table():
    assert against(Came(27.0, 128, 128, TOLD, True)) == "31 (22 to 40), came 27"
    gain = Forecast(0.5123, 0.1, 1.25, None, "sd")
    assert against(Came(0.75, 6, 6, gain, True)) == "0.512 (0.1 to 1.25), came 0.75"
    assert (number(9.96), number(10.4), number(0.04)) == ("10.0", "10", "0.0")
