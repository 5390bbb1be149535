import pytest

from loop.dispatch import dispatch_batch
from loop.domain.batch import BatchState
from loop.domain.errors import BatchNotFoundError, InvalidError, WrongStateError
from loop.review import approve, reject
from tests.loop.campaigning import bench


@pytest.fixture
def desk(tmp_path):
    return bench(tmp_path)


def test_who_decided_and_why_is_kept_and_logged(desk):
    batch = desk.propose()
    assert approve(desk.services, batch.id).decided_by == "ada"
    rejected = reject(desk.services, batch.id, "wrong cells")
    assert (rejected.state, rejected.why) == (BatchState.REJECTED, "wrong cells")
    with desk.services.storage.reading() as work:
        last = work.log.of("tiny")[-1]
    assert (last.who, last.verb, last.what, last.detail, last.origin) == (
        "ada",
        "reject",
        batch.id,
        "wrong cells",
        "test",
    )


def test_deciding_the_same_twice_changes_nothing(desk):
    batch = desk.propose()
    for decide in (
        lambda: approve(desk.services, batch.id),
        lambda: reject(desk.services, batch.id, "no"),
    ):
        first = decide()
        before = desk.record
        assert decide() == first
        assert desk.record == before


def test_a_rejection_needs_a_reason(desk):
    batch = desk.propose()
    with pytest.raises(InvalidError, match="needs a reason"):
        reject(desk.services, batch.id, " ")
    assert desk.batch(batch.id) == batch


def test_a_rejected_batch_stays_rejected(desk):
    batch = desk.propose()
    reject(desk.services, batch.id, "no")
    with pytest.raises(WrongStateError, match="is rejected and cannot become approved"):
        approve(desk.services, batch.id)


@pytest.mark.parametrize("ingested", [False, True])
def test_what_is_in_the_lab_can_neither_be_approved_nor_rejected(desk, ingested):
    batch = desk.measured() if ingested else desk.dispatched()
    before = desk.record
    with pytest.raises(WrongStateError):
        approve(desk.services, batch.id)
    with pytest.raises(WrongStateError):
        reject(desk.services, batch.id, "too late")
    assert desk.record == before


def test_a_batch_whose_dispatch_was_begun_cannot_be_rejected(desk, monkeypatch):
    batch = desk.propose()
    approve(desk.services, batch.id)
    with monkeypatch.context() as patched:
        patched.setattr("lab_adapters.csv_folder.CsvFolder.submit", _killed)
        with pytest.raises(KeyboardInterrupt):
            dispatch_batch(desk.services, batch.id)
    with pytest.raises(WrongStateError, match="may be in the lab already"):
        reject(desk.services, batch.id, "changed my mind")
    assert desk.batch(batch.id).state is BatchState.APPROVED


def _killed(*_):
    raise KeyboardInterrupt


def test_an_unknown_batch_is_refused_with_the_nearest(desk):
    batch = desk.propose()
    with pytest.raises(BatchNotFoundError, match=batch.id):
        approve(desk.services, "tiny.b11")
