from dataclasses import replace

import numpy as np
import pytest

from loop.contracts.nouns import a_batch, a_campaign, a_dispatch, a_snapshot
from loop.domain.batch import BatchState, Choice, ChosenBy
from loop.domain.perturbation import Perturbation
from loop.domain.snapshot import SnapshotState
from loop.standing import Record, Standing
from tests.loop.campaigning import TINY, bench

S = BatchState


def batch(number, state, **chosen_by):
    choices = tuple(
        Choice(Perturbation.parse(f"{name}|K562"), by, None, "", {})
        for name, by in chosen_by.items()
    )
    return replace(a_batch(number=number), state=state, choices=choices)


def record(*batches, dispatches=(), snapshots=()):
    return Record(a_campaign(), batches, dispatches, (), snapshots)


LOT, CHOSEN = ChosenBy.AUDIT, ChosenBy.ACQUISITION


def test_what_was_drawn_by_lot_stays_so_whatever_a_rejected_batch_says():
    told = record(
        batch(1, S.COMPLETE, A=LOT, B=CHOSEN),
        batch(2, S.REJECTED, A=CHOSEN, B=LOT, C=LOT),
        batch(3, S.CANCELLED, D=LOT),
    )
    assert told.audit_keys == {"A|K562"}


def test_what_was_drawn_by_lot_failed_and_was_then_chosen_is_no_audit_well():
    told = record(batch(1, S.FAILED, A=LOT, B=LOT), batch(2, S.COMPLETE, A=CHOSEN))
    assert told.audit_keys == {"B|K562"}


@pytest.mark.parametrize("state", S)
def test_a_batch_waits_and_costs_by_its_state(state):
    told = record(batch(1, state, A=LOT, B=LOT))
    assert (told.open_batch is not None) == (state in (S.PROPOSED, S.APPROVED, S.DISPATCHED))
    assert told.spent == (0 if state in (S.REJECTED, S.CANCELLED) else 2)
    out = state in (S.PROPOSED, S.APPROVED, S.DISPATCHED, S.PARTIAL)
    assert len(told.pending) == (2 if out else 0)


def test_only_wells_without_any_report_are_pending():
    noun = a_batch()
    told = Record(a_campaign(), (replace(noun, state=S.DISPATCHED),), (a_dispatch(noun),), (), ())
    # The dispatch holds a well of the first choice only.
    assert [each.key for each in told.pending] == ["A@0.5uM+B@1uM|K562"]


def test_the_newest_champion_reigns():
    states = (SnapshotState.RETIRED, SnapshotState.CHAMPION, SnapshotState.DECLINED)
    snapshots = tuple(
        replace(a_snapshot(number=at, snapshot_id=str(at) * 64), state=state)
        for at, state in enumerate(states, 1)
    )
    assert record(snapshots=snapshots).champion == snapshots[1]
    assert record(snapshots=snapshots[:1]).champion is None


def test_measured_and_pending_perturbations_are_taken_and_controls_have_no_address(tmp_path):
    desk = bench(tmp_path, TINY.with_("batch", size=10))
    desk.measured()
    out = desk.dispatched()
    told = desk.record
    standing = Standing(told, desk.services.read_inputs(told.campaign))
    chosen = [c.perturbation for b in told.batches for c in b.choices]
    expected = standing.space.rank(standing.index.encode(chosen))
    np.testing.assert_array_equal(standing.taken, np.sort(expected))
    assert len(standing.taken) == 20
    assert out.state is S.DISPATCHED
    assert len(standing.addresses([Perturbation.parse("|K562")])) == 0
    assert len(standing.addresses([])) == 0
    assert len(standing.training) == 11
    assert standing.training.audit.sum() == 10
