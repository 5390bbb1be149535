import pytest

from loop.advice import advice
from loop.domain.batch import ChosenBy
from loop.evidence import Near
from loop.explain import _ORDER, expected_of, explain
from tests.loop.campaigning import TINY, bench


@pytest.fixture
def desk(tmp_path):
    desk = bench(tmp_path, TINY.with_("batch", size=10, audit=0.3, reference=["G01+G02|K562"]))
    desk.measured()
    desk.retrain()
    return desk


def test_every_choice_is_told_with_what_was_measured_nearest_to_it(desk):
    batch = desk.propose()
    told = explain(desk.services, batch)
    assert told.batch == batch
    assert all(each.choice.belief for each in told.choices)
    assert sorted(e.choice.perturbation.key for e in told.choices) == sorted(
        c.perturbation.key for c in batch.choices
    )
    measured = set(desk.record.observed.by_key)
    for each in told.choices:
        assert each.nearest.key in measured
        assert each.nearest.key != each.choice.perturbation.key
        assert each.nearest.near in (Near.SHARED, Near.UR)
        assert each.nearest.value == desk.record.observed.value(each.nearest.key, "gi")


def test_chosen_wells_come_first_in_their_order_and_references_last(desk):
    batch = desk.propose()
    told = [each.choice for each in explain(desk.services, batch).choices]
    by = [each.chosen_by for each in told]
    assert by == [ChosenBy.ACQUISITION] * 6 + [ChosenBy.AUDIT] * 3 + [ChosenBy.REFERENCE]
    assert told[:6] == [c for c in batch.choices if c.chosen_by is ChosenBy.ACQUISITION]


def test_the_first_batch_has_no_evidence_and_no_advice(tmp_path):
    desk = bench(tmp_path)
    told = explain(desk.services, desk.propose())
    assert told.advice is None
    assert {each.nearest for each in told.choices} == {None}


def test_every_way_of_being_chosen_has_its_place():
    assert set(_ORDER) == set(ChosenBy)


def test_the_advice_is_that_of_the_batch(desk):
    batch = desk.propose()
    expected = advice(desk.record, batch)
    assert expected is not None
    assert explain(desk.services, batch).advice == expected_of(desk.services, batch) == expected
