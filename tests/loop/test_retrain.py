from dataclasses import replace

import pytest

from loop.domain.errors import (
    CampaignNotFoundError,
    NothingMeasuredError,
    SnapshotNotFoundError,
    StaleCampaignError,
    WrongStateError,
)
from loop.domain.snapshot import SnapshotState
from loop.learn import Verdict
from loop.retrain import adopt, retrain
from tests.loop.campaigning import TINY, bench, honest


@pytest.fixture
def desk(tmp_path):
    return bench(tmp_path)


def states(desk):
    return [each.state.value for each in desk.record.snapshots]


@pytest.fixture
def declining(monkeypatch):
    """Every challenger is declined from now on."""

    def decline(challenger, champion, training):
        return Verdict(False, "declined: for the sake of the test.", {"nll": 1.0})

    def switch():
        monkeypatch.setattr("loop.learn.judge", decline)

    return switch


def test_before_anything_is_measured_there_is_nothing_to_learn(desk):
    for step in (lambda: None, desk.propose, desk.dispatched):
        step()
        before = desk.record
        with pytest.raises(NothingMeasuredError):
            desk.retrain()
        assert desk.record == before


def test_the_first_snapshot_is_the_champion_and_knows_its_lineage(desk):
    desk.measured()
    told = desk.retrain()
    snapshot = told.snapshot
    assert not told.again
    assert (snapshot.number, snapshot.parent, snapshot.state.value) == (1, None, "champion")
    # 6 pairs and the control.
    assert snapshot.observations == 7
    assert snapshot.surrogate == "random"
    assert snapshot.code_version
    assert "adopted" in snapshot.verdict
    assert snapshot.scores["audit_wells"] == 6
    assert desk.record.champion == snapshot
    desk.services.states.load(snapshot.id)


def test_the_same_data_twice_give_the_same_snapshot(desk):
    desk.measured()
    first = desk.retrain()
    before = desk.record
    again = desk.retrain()
    assert again.again
    assert again.snapshot == first.snapshot
    assert desk.record == before


def test_the_same_data_and_seed_give_the_same_snapshot_in_another_home(tmp_path):
    ids = []
    for name in ("a", "b"):
        desk = bench(tmp_path / name)
        desk.measured()
        ids.append(desk.retrain().snapshot.id)
    assert ids[0] == ids[1]


def test_new_data_retire_the_champion_for_its_child(desk):
    desk.measured()
    first = desk.retrain().snapshot
    desk.measured()
    second = desk.retrain().snapshot
    assert second.parent == first.id
    assert second.data_hash != first.data_hash
    assert states(desk) == ["retired", "champion"]


def test_from_scratch_there_is_always_a_new_snapshot_without_parent(desk):
    desk.measured()
    ids = {desk.retrain().snapshot.id}
    for _ in range(3):
        told = desk.retrain(scratch=True)
        assert not told.again
        assert told.snapshot.parent is None
        ids.add(told.snapshot.id)
    assert len(ids) == 4
    assert states(desk) == ["retired"] * 3 + ["champion"]


def test_a_value_revised_and_revised_back_can_be_learned_again(desk):
    batch = desk.measured()
    row = desk.rows(batch.id, honest)[0].rsplit(",", 1)
    for value in (None, "1.9", row[1]):
        if value is not None:
            desk.ingest([f"{row[0]},{value}"])
        assert not desk.retrain().again
    assert states(desk) == ["retired", "retired", "champion"]


def test_a_declined_challenger_is_kept_with_the_reason_and_the_champion_stays(desk, declining):
    desk.measured()
    champion = desk.retrain().snapshot
    desk.measured()
    declining()
    told = desk.retrain().snapshot
    assert (told.state, told.parent) == (SnapshotState.DECLINED, champion.id)
    assert told.verdict == "declined: for the sake of the test."
    assert desk.record.champion == champion
    assert desk.propose().snapshot == champion.id
    again = desk.retrain()
    assert (again.again, again.snapshot) == (True, told)


def test_one_can_go_back_and_forth_between_snapshots(desk):
    desk.measured()
    first = desk.retrain().snapshot
    desk.measured()
    second = desk.retrain().snapshot
    for wanted, after in (
        (first, ["champion", "retired"]),
        (second, ["retired", "champion"]),
        (first, ["champion", "retired"]),
    ):
        adopted = adopt(desk.services, "tiny", wanted.id[:12])
        assert adopted.id == wanted.id
        assert adopted.verdict == f"{wanted.verdict.rstrip('.')}; then adopted by ada."
        assert states(desk) == after
        assert desk.record.champion.id == wanted.id
    assert desk.propose().snapshot == first.id


def test_adopting_the_champion_changes_nothing(desk):
    desk.measured()
    champion = desk.retrain().snapshot
    before = desk.record
    assert adopt(desk.services, "tiny", champion.id) == champion
    assert desk.record == before


def test_a_declined_snapshot_can_be_adopted_by_a_person(desk, declining):
    declining()
    desk.measured()
    declined = desk.retrain().snapshot
    assert desk.record.champion is None
    adopt(desk.services, "tiny", declined.id)
    assert desk.record.champion.id == declined.id


def test_a_snapshot_that_is_not_there_cannot_be_adopted(desk):
    desk.measured()
    snapshot = desk.retrain().snapshot
    with pytest.raises(SnapshotNotFoundError):
        adopt(desk.services, "tiny", "0" * 12)
    with pytest.raises(SnapshotNotFoundError):
        adopt(desk.services, "tiny", snapshot.id[:2])


def test_a_snapshot_whose_file_is_gone_cannot_be_adopted(desk):
    desk.measured()
    first = desk.retrain().snapshot
    desk.measured()
    desk.retrain()
    desk.services.states.path(first.id).unlink()
    before = desk.record
    with pytest.raises(SnapshotNotFoundError, match="has no file"):
        adopt(desk.services, "tiny", first.id)
    assert desk.record == before


def test_a_snapshot_of_another_surrogate_cannot_be_adopted(desk):
    desk.measured()
    first = desk.retrain().snapshot
    foreign = replace(
        first, id="e" * 64, number=2, surrogate="ensemble", state=SnapshotState.DECLINED
    )
    with desk.services.storage.writing() as work:
        work.snapshots.add(foreign)
        work.commit()
    with pytest.raises(WrongStateError, match="is a 'ensemble', but campaign 'tiny' uses 'random'"):
        adopt(desk.services, "tiny", foreign.id)


def test_whoever_learns_while_results_come_in_writes_nothing(desk):
    desk.measured()
    out = desk.dispatched()

    arrived = []

    def progress(share, doing):
        if not arrived:
            arrived.append(desk.ingest(desk.rows(out.id, honest)))

    with pytest.raises(StaleCampaignError):
        retrain(desk.services, "tiny", progress=progress)
    assert arrived
    assert desk.record.snapshots == ()
    assert desk.retrain().snapshot.observations == 13


def test_an_unknown_campaign_is_refused(desk):
    with pytest.raises(CampaignNotFoundError):
        retrain(desk.services, "tinny")


def test_each_round_is_scored_by_what_was_believed_before_it(tmp_path):
    desk = bench(tmp_path, TINY.with_("batch", size=12, audit=0.5))
    assert desk.measured().scores.rmse is None
    desk.retrain()
    scores = desk.measured().scores
    assert scores.measured == 12
    assert None not in (scores.rmse, scores.nll, scores.coverage90, scores.audit_rmse)
