from dataclasses import replace

import pytest

from loop.domain.batch import BatchState, ChosenBy
from loop.domain.errors import CampaignNotFoundError
from loop.ingest import ingest_results
from loop.learn import Verdict
from loop.review import approve, reject
from loop.status import campaign_status
from tests.loop.campaigning import TINY, bench, honest


@pytest.fixture
def desk(tmp_path):
    return bench(tmp_path, TINY.with_("batch", size=12, audit=0.5))


def status(desk):
    return campaign_status(desk.services, desk.name)


def test_the_next_step_leads_through_a_round(desk):
    steps = [status(desk).next_step]
    batch = desk.propose()
    steps.append(status(desk).next_step)
    approve(desk.services, batch.id)
    steps.append(status(desk).next_step)
    desk.dispatched()
    steps.append(status(desk).next_step)
    desk.ingest(desk.rows(batch.id, honest))
    steps.append(status(desk).next_step)
    desk.retrain()
    steps.append(status(desk).next_step)
    commands = [step.split("pertloop ")[1].split()[0] for step in steps]
    assert "give up wells" in steps[3]
    assert commands == ["propose", "approve", "dispatch", "ingest", "retrain", "propose"]


def test_it_is_not_advised_to_learn_again_what_was_declined(desk, monkeypatch):
    desk.measured()
    desk.retrain()
    desk.measured()
    monkeypatch.setattr("loop.learn.judge", lambda *_: Verdict(False, "declined.", {}))
    desk.retrain()
    told = status(desk)
    assert told.new_observations == 0
    assert told.next_step.endswith("pertloop propose tiny")


def test_a_revision_is_learned_from_even_where_new_observations_are_waited_for(tmp_path):
    desk = bench(tmp_path, TINY.with_("retrain", after_observations=10))
    batch = desk.measured()
    desk.retrain()
    assert status(desk).new_observations == 0
    rows = desk.rows(batch.id, honest)
    place = next(number for number, row in enumerate(rows) if not row.endswith(",0.0"))
    rows[place] = rows[place].rsplit(",", 1)[0] + ",9.75"
    desk.ingest(rows)
    assert status(desk).new_observations == 1
    assert "retrain" in status(desk).next_step
    assert not desk.retrain().again
    assert "propose" in status(desk).next_step


def test_late_replicates_are_new_observations(tmp_path):
    desk = bench(tmp_path, TINY.with_("batch", replicates=2))
    batch = desk.dispatched()
    rows = desk.rows(batch.id, honest)
    late = [row for row in rows if row.endswith(",0.0")][:1] + rows[-2:]
    desk.ingest([row for row in rows if row not in late])
    desk.retrain()
    assert "propose" in status(desk).next_step
    desk.ingest(late)
    assert status(desk).new_observations > 0
    assert "retrain" in status(desk).next_step
    assert not desk.retrain().again
    assert status(desk).new_observations == 0


def test_wells_that_stay_empty_are_nothing_new_to_learn(desk):
    batch = desk.dispatched()
    rows = desk.rows(batch.id, honest)
    desk.ingest(rows[:-2])
    desk.retrain()
    desk.ingest([row.rsplit(",", 1)[0] + "," for row in rows[-2:]])
    assert status(desk).new_observations == 0
    assert "propose" in status(desk).next_step


def test_learning_waits_for_enough_observations(tmp_path):
    desk = bench(tmp_path, TINY.with_("retrain", after_observations=10))
    desk.measured()
    assert "propose" in status(desk).next_step
    desk.measured()
    assert "retrain" in status(desk).next_step


def test_rounds_are_summed_up_and_rejected_batches_left_out(desk):
    reject(desk.services, desk.propose().id, "no")
    first = desk.measured()
    desk.retrain()
    second = desk.dispatched()
    desk.ingest(desk.rows(second.id, honest)[:8])
    told = status(desk)
    values = {each.key: desk.record.observed.value(each.key, "gi") for each in desk.record.tested}
    hits = {key for key, value in values.items() if not -1 < value < 1}
    assert [line.batch for line in told.rounds] == [first.id, second.id]
    assert [line.number for line in told.rounds] == [2, 3]
    assert told.rounds[0].tested == 12
    assert told.rounds[1].tested == told.tested == len(values)
    assert told.hits == told.rounds[1].hits == len(hits)
    assert told.rounds[1].best == max(values.values())
    assert told.rounds[1].state is BatchState.PARTIAL
    assert told.pending == 24 - len(values)
    audit = {
        c.perturbation.key
        for b in (first, second)
        for c in b.choices
        if c.chosen_by is ChosenBy.AUDIT
    } & set(values)
    rate = len(hits & audit) / len(audit)
    assert told.rounds[1].random_hits == pytest.approx(rate * len(values))


def test_before_anything_nothing_is_known(desk):
    told = status(desk)
    assert (told.tested, told.hits, told.pending, told.rounds, told.champion) == (0, 0, 0, (), None)
    desk.propose()
    [line] = status(desk).rounds
    assert (line.tested, line.best, line.random_hits, line.scores) == (0, None, None, None)


@pytest.mark.parametrize(("goal", "best"), [("maximize", max), ("minimize", min)])
def test_the_best_is_the_best_for_the_goal(tmp_path, goal, best):
    tiny = replace(TINY, top={"goal": goal}).with_("readout", threshold=None)
    desk = bench(tmp_path, tiny)
    desk.measured()
    values = [desk.record.observed.value(each.key, "gi") for each in desk.record.tested]
    [line] = status(desk).rounds
    assert line.best == best(values)
    assert (line.hits, line.random_hits) == (0, None)


def test_the_goal_says_which_value_is_best_whatever_the_direction(tmp_path):
    tiny = replace(TINY, top={"goal": "maximize"})
    desk = bench(tmp_path, tiny.with_("readout", direction="down", threshold=-1.0))
    desk.measured()
    values = [desk.record.observed.value(each.key, "gi") for each in desk.record.tested]
    [line] = status(desk).rounds
    assert line.best == max(values)


def test_a_plate_that_is_not_learned_from_is_noted(tmp_path):
    tiny = TINY.with_("readout", normalize="subtract-negative")
    desk = bench(tmp_path, tiny)
    batch = desk.dispatched()
    desk.ingest(desk.rows(batch.id, lambda p, w: "" if w.perturbation.is_control else honest(p, w)))
    told = status(desk)
    assert len(told.notes) == 1
    assert "fewer than 2 measured negative controls" in told.notes[0]
    assert (told.tested, told.pending) == (0, 0)
    assert "propose" in told.next_step


def test_rejected_rows_are_counted(desk):
    batch = desk.dispatched()
    path = desk.write([*desk.rows(batch.id, honest), "ghost.p1,A01,gi,1"])
    ingest_results(desk.services, "tiny", path, keep_good=True)
    assert status(desk).rejected_rows == 1


def test_a_perturbation_drawn_by_lot_and_turned_down_judges_nothing_when_chosen_later(tmp_path):
    # With this seed the lot does not fall on the same one of the 46 that are left again.
    tiny = replace(TINY, top={"seed": 11}).with_("batch", size=20, audit=0.02)
    desk = bench(tmp_path, tiny)
    desk.measured()
    desk.retrain()
    drawn = {c.perturbation.key for c in desk.record.batches[0].choices}
    rejected = desk.propose(46)
    [lot] = [c for c in rejected.choices if c.chosen_by is ChosenBy.AUDIT]
    reject(desk.services, rejected.id, "no")
    later = desk.measured(46)
    by = {c.perturbation.key: c.chosen_by for c in later.choices}
    assert by[lot.perturbation.key] is ChosenBy.ACQUISITION
    assert lot.perturbation.key not in desk.record.audit_keys
    assert desk.record.audit_keys == drawn | {k for k, b in by.items() if b is ChosenBy.AUDIT}


def test_an_unknown_campaign_is_refused(desk):
    with pytest.raises(CampaignNotFoundError):
        campaign_status(desk.services, "tinny")
