"""Rows and domain: there and back is where one was, in memory and through both databases."""

from dataclasses import astuple, fields, replace
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import StatementError

from loop.contracts.nouns import a_campaign
from loop.domain.observation import Measurement
from loop.store import mapping
from loop.store.columns import AnyText, read_json, write_json
from loop.store.engine import open_storage
from tests.loop.store import strategies

PAIRS = [
    (strategies.campaigns, lambda noun: mapping.campaign_of(mapping.campaign_row(noun))),
    (strategies.batches, lambda noun: mapping.batch_of(mapping.batch_row(noun))),
    (strategies.snapshots, lambda noun: mapping.snapshot_of(mapping.snapshot_row(noun))),
    (
        strategies.files,
        lambda noun: mapping.results_file_of(mapping.results_file_row("k562", noun)),
    ),
    (strategies.log_entries, lambda noun: mapping.log_entry_of(mapping.log_row("k562", noun))),
]


@pytest.mark.parametrize(("nouns", "there_and_back"), PAIRS)
def test_there_and_back_is_where_one_was(nouns, there_and_back):
    @given(noun=nouns)
    @settings(max_examples=50, deadline=None)
    def holds(noun):
        assert there_and_back(noun) == noun

    holds()


def test_the_columns_of_a_measurement_are_its_fields():
    measurement = Measurement("P", "A01", "gi", 1.0, "sd", "ok", "f", "now", "edge", 2)
    stored = mapping.measurement_fields("k562", replace(measurement, status=_Ok()))

    assert list(stored) == ["campaign", *(each.name for each in fields(Measurement))]
    assert mapping.measurement_of(astuple(measurement)) == measurement


class _Ok:
    value = "ok"


@given(text=strategies.texts, other=strategies.texts)
def test_any_text_is_stored_as_text_that_every_database_takes(text, other):
    column = AnyText()
    stored = column.process_bind_param(text, None)

    assert "\x00" not in stored.encode().decode()
    assert column.process_result_value(stored, None) == text
    assert (stored == column.process_bind_param(other, None)) == (text == other)


def test_ordinary_text_is_stored_as_it_stands():
    assert AnyText().process_bind_param("Dose 0.5 µM, Łódź", None) == "Dose 0.5 µM, Łódź"


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | strategies.numbers | strategies.texts,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(strategies.texts, inner, max_size=3)
        ),
    )
)
def test_json_holds_infinities_and_stays_json(value):
    written = write_json(value)

    assert "Infinity" not in written.replace('"Infinity"', "")
    assert read_json(written) == value


NUMBERS = count(1)


@given(data=st.data())
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_whatever_is_stored_comes_back(url, data):
    name = f"campaign-{next(NUMBERS)}"
    draw = data.draw
    campaign = replace(draw(strategies.campaigns), name=name)
    batch = replace(draw(strategies.batches), id=f"{name}-1", campaign=name)
    dispatch = replace(draw(strategies.dispatches), batch=batch.id, key=f"{name}-key")
    file = draw(strategies.files)
    measurement = replace(draw(strategies.measurements), source=file.sha256)
    rejected = replace(draw(strategies.rejected_rows), source=file.sha256)
    snapshot = replace(draw(strategies.snapshots), campaign=name)
    entry = draw(strategies.log_entries)
    storage = open_storage(url)

    with storage.writing() as work:
        work.campaigns.add(campaign)
        work.batches.add(batch)
        work.dispatches.add(dispatch)
        work.results.record(name, file, [measurement], [rejected])
        work.snapshots.add(snapshot)
        work.log.append(name, entry)
        work.commit()

    with storage.reading() as work:
        assert work.campaigns.get(name) == campaign
        assert work.batches.of(name) == [batch]
        assert work.dispatches.of(name) == [dispatch]
        assert work.results.file(name, file.sha256) == file
        assert work.results.current(name) == [measurement]
        assert work.results.rejected(name) == [rejected]
        assert work.snapshots.get(name, snapshot.id) == snapshot
        assert work.log.of(name) == [entry]
    storage.close()


def test_a_moment_without_a_zone_is_refused(url):
    storage = open_storage(url)
    nowhere = replace(a_campaign(), created_at=a_campaign().created_at.replace(tzinfo=None))

    with storage.writing() as work, pytest.raises(StatementError, match="has no time zone"):
        work.campaigns.add(nowhere)
    storage.close()
