from itertools import product

import pytest

from loop.contracts.nouns import a_batch
from loop.domain.batch import AWAITING_DATA, PENDING, BatchState
from loop.domain.errors import WrongStateError

S = BatchState
LEGAL = {
    (S.PROPOSED, S.APPROVED),
    (S.PROPOSED, S.REJECTED),
    (S.APPROVED, S.DISPATCHED),
    (S.APPROVED, S.REJECTED),
    (S.APPROVED, S.CANCELLED),
    (S.DISPATCHED, S.PARTIAL),
    (S.DISPATCHED, S.COMPLETE),
    (S.DISPATCHED, S.FAILED),
    (S.DISPATCHED, S.CANCELLED),
    (S.PARTIAL, S.PARTIAL),
    (S.PARTIAL, S.COMPLETE),
    (S.PARTIAL, S.FAILED),
    (S.PARTIAL, S.CANCELLED),
    (S.COMPLETE, S.COMPLETE),
    (S.COMPLETE, S.PARTIAL),
    (S.COMPLETE, S.FAILED),
    (S.FAILED, S.PARTIAL),
    (S.FAILED, S.COMPLETE),
    (S.FAILED, S.FAILED),
}


def in_state(state):
    batch = a_batch()
    object.__setattr__(batch, "state", state)
    return batch


@pytest.mark.parametrize(("before", "after"), sorted(LEGAL))
def test_every_legal_step_is_taken(before, after):
    moved = in_state(before).moved_to(after, "ada", "because")
    assert (moved.state, moved.decided_by, moved.why) == (after, "ada", "because")


@pytest.mark.parametrize(("before", "after"), sorted(set(product(S, S)) - LEGAL))
def test_every_other_step_is_refused_and_the_legal_ones_are_told(before, after):
    with pytest.raises(WrongStateError) as refused:
        in_state(before).moved_to(after)
    told = str(refused.value)
    assert f"is {before.value} and cannot become {after.value}" in told
    for state in (a for b, a in LEGAL if b is before):
        assert state.value in told


def test_a_step_without_a_decision_keeps_the_earlier_one():
    approved = a_batch().moved_to(S.APPROVED, "ada", "fine")
    dispatched = approved.moved_to(S.DISPATCHED)
    assert (dispatched.decided_by, dispatched.why) == ("ada", "fine")


def test_no_state_that_is_over_still_waits():
    assert not {S.REJECTED, S.CANCELLED, S.COMPLETE, S.FAILED} & PENDING
    assert {S.PARTIAL} == PENDING - AWAITING_DATA
