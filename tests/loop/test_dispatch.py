import csv
import io
from dataclasses import replace

import pytest

from lab_adapters.csv_folder import CsvFolder
from loop.dispatch import dispatch_batch
from loop.domain.batch import BatchState, ChosenBy
from loop.domain.dispatch import JobState
from loop.domain.errors import BatchNotFoundError, LabUnreachableError, LayoutError, WrongStateError
from loop.domain.plate import Role
from loop.ports.lab import Problem
from loop.review import approve, reject
from tests.loop.campaigning import TINY, bench, provided


class Killed(BaseException):
    """The process is gone; nothing after this runs."""


@pytest.fixture
def desk(tmp_path):
    return bench(tmp_path)


def approved(desk):
    batch = desk.propose()
    approve(desk.services, batch.id)
    return batch


def jobs(desk):
    """The names of all jobs that the csv lab was ever handed, half-written ones included."""
    return sorted(path.name for path in desk.services.settings.home.glob("*/csv/tiny/*"))


def state_of(desk, batch):
    with desk.services.storage.reading() as work:
        return work.dispatches.get(batch.id)


def test_every_perturbation_is_on_the_plates_and_in_the_plate_map_once(desk):
    batch = approved(desk)
    dispatch = dispatch_batch(desk.services, batch.id)
    wells = [well for plate in dispatch.plates for well in plate.wells]
    treated = [w.perturbation.key for w in wells if w.role is Role.TREATMENT]
    assert sorted(treated) == sorted(c.perturbation.key for c in batch.choices)
    assert sum(well.role is Role.NEGATIVE for well in wells) == 3
    [plate_map] = desk.services.settings.home.glob(f"*/csv/tiny/{batch.id}/plate_map.csv")
    rows = list(csv.DictReader(io.StringIO(plate_map.read_text())))
    assert {row["dispatch_key"] for row in rows} == {dispatch.key}
    assert len({row["well"] for row in rows}) == len(wells)


def test_dispatching_twice_makes_one_job_and_changes_nothing(desk):
    batch = approved(desk)
    first = dispatch_batch(desk.services, batch.id)
    before = desk.record
    assert (first.state, first.reference) == (JobState.QUEUED, batch.id)
    assert dispatch_batch(desk.services, batch.id) == first
    assert desk.record == before
    assert jobs(desk) == [batch.id]
    assert desk.batch(batch.id).state is BatchState.DISPATCHED


def test_after_results_dispatching_again_still_returns_the_job(desk):
    batch = desk.measured()
    dispatch = dispatch_batch(desk.services, batch.id)
    assert dispatch.state is JobState.QUEUED
    assert desk.batch(batch.id).state is BatchState.COMPLETE


@pytest.mark.parametrize("decision", ["none", "rejected"])
def test_only_an_approved_batch_is_dispatched(desk, decision):
    batch = desk.propose()
    if decision == "rejected":
        reject(desk.services, batch.id, "no")
    with pytest.raises(WrongStateError, match="only an approved batch can be dispatched"):
        dispatch_batch(desk.services, batch.id)
    assert state_of(desk, batch) is None


def test_an_unknown_batch_is_refused(desk):
    with pytest.raises(BatchNotFoundError):
        dispatch_batch(desk.services, "tiny.b9")


def test_the_intention_is_stored_before_the_lab_is_called(desk, monkeypatch):
    batch = approved(desk)
    seen = []

    def submit(adapter, order, files):
        dispatch = state_of(desk, batch)
        seen.append((dispatch.state, dispatch.key == order.key))
        return "job-1"

    monkeypatch.setattr(CsvFolder, "submit", submit)
    assert dispatch_batch(desk.services, batch.id).reference == "job-1"
    assert seen == [(JobState.SUBMITTING, True)]


def test_after_a_crash_before_submitting_the_same_job_is_submitted(desk, monkeypatch):
    batch = approved(desk)
    with monkeypatch.context() as patched:
        patched.setattr(CsvFolder, "submit", _killed)
        with pytest.raises(Killed):
            dispatch_batch(desk.services, batch.id)
    begun = state_of(desk, batch)
    assert begun.state is JobState.SUBMITTING
    assert desk.batch(batch.id).state is BatchState.APPROVED
    ended = dispatch_batch(desk.services, batch.id)
    assert ended == replace(begun, state=JobState.QUEUED, reference=batch.id)
    assert desk.batch(batch.id).state is BatchState.DISPATCHED
    assert jobs(desk) == [batch.id]


def test_after_a_crash_between_submitting_and_remembering_there_is_no_second_job(desk, monkeypatch):
    batch = approved(desk)
    submit = CsvFolder.submit
    handed_over = []

    def submit_and_die(adapter, order, files):
        handed_over.append(submit(adapter, order, files))
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(CsvFolder, "submit", submit_and_die)
        with pytest.raises(Killed):
            dispatch_batch(desk.services, batch.id)
        assert jobs(desk) == [batch.id]
        # The lab knows the key now, so the same fatal `submit` is not called again.
        ended = dispatch_batch(desk.services, batch.id)
    assert len(handed_over) == 1
    assert (ended.state, ended.reference) == (JobState.QUEUED, batch.id)
    assert desk.batch(batch.id).state is BatchState.DISPATCHED
    assert jobs(desk) == [batch.id]


def test_results_that_arrive_before_the_crash_is_mended_are_taken(desk, monkeypatch):
    batch = approved(desk)
    with monkeypatch.context() as patched:
        patched.setattr(CsvFolder, "submit", _killed)
        with pytest.raises(Killed):
            dispatch_batch(desk.services, batch.id)
    desk.ingest(desk.rows(batch.id, lambda plate, well: "0.5"))
    assert desk.batch(batch.id).state is BatchState.COMPLETE
    assert dispatch_batch(desk.services, batch.id).state is JobState.QUEUED
    assert desk.batch(batch.id).state is BatchState.COMPLETE


def test_an_unreachable_lab_can_be_tried_again(desk, monkeypatch):
    batch = approved(desk)

    def unreachable(*_):
        raise LabUnreachableError("The robot does not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(CsvFolder, "submit", unreachable)
        with pytest.raises(LabUnreachableError):
            dispatch_batch(desk.services, batch.id)
    assert dispatch_batch(desk.services, batch.id).state is JobState.QUEUED


def test_an_order_that_the_lab_cannot_make_is_refused_and_nothing_is_stored(desk, monkeypatch):
    batch = approved(desk)
    problems = [Problem("A warning only.", blocks=False), Problem("No such plates here.")]
    monkeypatch.setattr(CsvFolder, "validate", lambda *_: problems)
    with pytest.raises(LayoutError, match="No such plates here"):
        dispatch_batch(desk.services, batch.id)
    assert state_of(desk, batch) is None
    monkeypatch.setattr(CsvFolder, "validate", lambda *_: problems[:1])
    assert dispatch_batch(desk.services, batch.id).state is JobState.QUEUED


def test_controls_that_fill_the_plate_are_refused_at_init_and_nothing_is_stored(tmp_path):
    services = provided(tmp_path)
    with pytest.raises(LayoutError, match="leave no room"):
        bench(tmp_path, TINY.with_("lab", negative=96), services)
    with services.storage.reading() as work:
        assert work.campaigns.all() == []


def test_the_same_design_has_the_same_key_and_layout(tmp_path):
    both = []
    for name in ("a", "b"):
        desk = bench(tmp_path / name)
        both.append(dispatch_batch(desk.services, approved(desk).id))
    assert both[0].key == both[1].key
    assert both[0].plates == both[1].plates


def test_dispatching_is_logged_once(desk):
    batch = approved(desk)
    for _ in range(3):
        dispatch_batch(desk.services, batch.id)
    with desk.services.storage.reading() as work:
        assert [e.what for e in work.log.of("tiny") if e.verb == "dispatch"] == [batch.id]


def _killed(*_):
    raise Killed


def handed_over(desk, batch):
    """Every file of a batch's job, and what the lab was asked, as it stands in the record."""
    with desk.services.storage.writing() as work:
        work.batches.add(batch)
        work.commit()
    approve(desk.services, batch.id)
    dispatch = dispatch_batch(desk.services, batch.id)
    [job] = desk.services.settings.home.glob(f"*/csv/tiny/{batch.id}")
    files = {path.name: path.read_bytes() for path in job.iterdir()}
    return files, dispatch.key, dispatch.plates


def test_a_lab_is_never_told_why_a_perturbation_was_chosen(tmp_path):
    proposed = bench(tmp_path / "first").propose()
    told = {}
    for by in (ChosenBy.AUDIT, ChosenBy.ACQUISITION, ChosenBy.REQUIRED):
        score, chance = (None, 0.1) if by is ChosenBy.AUDIT else (0.7, None)
        choices = tuple(
            replace(each, chosen_by=by, score=score, reason=by.value, inclusion_probability=chance)
            for each in proposed.choices
        )
        told[by] = handed_over(bench(tmp_path / by.value), replace(proposed, choices=choices))

    files, _, plates = told[ChosenBy.AUDIT]
    assert sorted(files) == ["plate_map.csv", "results_template.csv"]
    assert sum(well.role is Role.TREATMENT for plate in plates for well in plate.wells) == 6
    assert told[ChosenBy.AUDIT] == told[ChosenBy.ACQUISITION] == told[ChosenBy.REQUIRED]
    words = b"".join(files.values()).lower()
    assert not any(word in words for word in (b"audit", b"acquisition", b"random", b"required"))
