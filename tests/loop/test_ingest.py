from dataclasses import replace

import pytest

from loop.domain.batch import BatchState
from loop.domain.errors import CampaignNotFoundError, ResultsRefusedError, UnreadableFileError
from loop.domain.observation import WellStatus
from loop.domain.plate import Role
from loop.ingest import collect_results, ingest_results
from tests.loop.campaigning import TINY, bench, honest

HEADER = "plate_id,well,readout,value"


@pytest.fixture
def desk(tmp_path):
    return bench(tmp_path)


@pytest.fixture
def out(desk):
    """A batch that is in the lab."""
    return desk.dispatched()


def plain(plate, well):
    return "0.25"


def treated(desk, batch):
    return [
        (plate.id, well)
        for plate in desk.plates(batch.id)
        for well in plate.wells
        if well.role is Role.TREATMENT
    ]


def test_results_are_measurements_and_complete_the_batch(desk, out):
    rows = desk.rows(out.id, honest)
    done = desk.ingest(rows)
    assert not done.again
    assert (done.file.accepted, done.file.unchanged, done.file.rejected) == (len(rows), 0, 0)
    assert [each.state for each in done.batches] == [BatchState.COMPLETE]
    assert desk.batch(out.id).scores.measured == 6
    measured = {(m.plate, m.well): m for m in desk.record.measurements}
    for plate in desk.plates(out.id):
        for well in plate.wells:
            found = measured[plate.id, well.name]
            assert found.value == float(honest(plate, well))
            assert (found.status, found.revision) == (WellStatus.OK, 1)


def test_the_same_bytes_again_change_nothing_under_any_name(desk, out):
    path = desk.write(desk.rows(out.id, honest))
    first = ingest_results(desk.services, "tiny", path)
    before = desk.record
    other = path.rename(path.with_name("copy.csv"))
    for keep_good in (False, True):
        again = ingest_results(desk.services, "tiny", other, keep_good)
        assert again.again
        assert again.file == first.file
        assert again.batches == ()
    assert desk.record == before
    with desk.services.storage.reading() as work:
        assert [e.verb for e in work.log.of("tiny")].count("ingest") == 1


def test_the_same_values_in_another_file_are_unchanged(desk, out):
    rows = desk.rows(out.id, honest)
    desk.ingest(rows)
    before = desk.record.measurements
    done = desk.ingest(rows[::-1])
    assert (done.file.accepted, done.file.unchanged, done.file.superseded) == (0, len(rows), 0)
    assert desk.record.measurements == before


def test_another_value_is_a_revision_and_makes_snapshots_stale(desk, out):
    rows = desk.rows(out.id, plain)
    desk.ingest(rows)
    snapshot = desk.retrain().snapshot
    assert not desk.record.snapshots[0].stale
    plate, well = treated(desk, out)[0]
    done = desk.ingest([f"{plate},{well.name},gi,1.75"])
    assert (done.file.accepted, done.file.superseded) == (1, 1)
    now = {(m.plate, m.well): m for m in desk.record.measurements}
    assert (now[plate, well.name].value, now[plate, well.name].revision) == (1.75, 2)
    assert len(now) == len(rows)
    assert desk.record.snapshots == (replace(snapshot, stale=True),)
    assert desk.record.observed.value(well.perturbation.key, "gi") == 1.75


def test_a_snapshot_older_than_the_superseded_value_stays_fresh(desk):
    desk.measured()
    desk.retrain()
    second = desk.measured()
    plate, well = treated(desk, second)[0]
    desk.ingest([f"{plate},{well.name},gi,1.99"])
    assert [each.stale for each in desk.record.snapshots] == [False]


def test_a_value_for_a_well_that_had_none_makes_nothing_stale(desk, out):
    plate, well = treated(desk, out)[0]
    rows = desk.rows(out.id, lambda p, w: "" if w.name == well.name else "0.5")
    desk.ingest(rows)
    desk.retrain()
    desk.ingest([f"{plate},{well.name},gi,0.75"])
    assert [each.stale for each in desk.record.snapshots] == [False]
    assert desk.record.observed.value(well.perturbation.key, "gi") == 0.75


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("PLATE,WELL,gi,oops", "is not a finite number"),
        ("PLATE,WELL,gi,nan", "is not a finite number"),
        ("PLATE,WELL,gi,inf", "is not a finite number"),
        ("PLATE,Z99,gi,1", "no well of any plate"),
        ("PLATE,I13,gi,1", "not on a 96-well plate"),
        ("PLATE,FREE,gi,1", "was never dispatched; it was left empty"),
        ("PLATE,WELL,growth,1", "not of this campaign"),
        ("nowhere.p1,WELL,gi,1", "was never dispatched for this campaign"),
        ("PLATE,WELL,gi", "3 cells"),
        ("PLATE,,gi,1", "well is empty"),
    ],
)
def test_one_bad_row_refuses_the_whole_file_with_its_line(desk, out, row, told):
    good = desk.rows(out.id, plain)
    plate, well = treated(desk, out)[0]
    names = {w.name for p in desk.plates(out.id) for w in p.wells}
    free = next(
        name
        for name in ("A01", "A02", "B01", *map("C{:02}".format, range(1, 13)))
        if name not in names
    )
    bad = row.replace("PLATE", plate).replace("WELL", well.name).replace("FREE", free)
    before = desk.record
    with pytest.raises(ResultsRefusedError, match=told) as refused:
        desk.ingest([*[each for each in good if f",{well.name}," not in each], bad])
    assert f"line {len(good) + 1}" in str(refused.value)
    assert "nothing stored" in str(refused.value)
    assert desk.record == before
    with desk.services.storage.reading() as work:
        assert work.results.files("tiny") == []
        assert work.results.rejected("tiny") == []


def test_good_rows_can_be_kept_and_bad_ones_are_stored_with_their_sentence(desk, out):
    good = desk.rows(out.id, plain)
    bad = ["ghost.p1,A01,gi,1", f"{treated(desk, out)[0][0]},Z99,gi,1"]
    done = desk.ingest([bad[0], *good, bad[1]], keep_good=True)
    assert (done.file.accepted, done.file.rejected) == (len(good), 2)
    assert desk.batch(out.id).state is BatchState.COMPLETE
    with desk.services.storage.reading() as work:
        rejected = work.results.rejected("tiny")
    assert [(each.line, each.text) for each in rejected] == [(2, bad[0]), (len(good) + 3, bad[1])]
    assert "never dispatched" in rejected[0].reason
    assert "no well" in rejected[1].reason


def test_the_same_well_twice_with_different_values_is_refused(desk, out):
    plate, well = treated(desk, out)[0]
    rows = [f"{plate},{well.name},gi,1.0", f"{plate},{well.name},gi,2.0"]
    with pytest.raises(ResultsRefusedError, match="has two values"):
        desk.ingest(rows)
    assert desk.record.measurements == ()


def test_a_plate_may_be_named_by_barcode_and_a_well_counts_once(desk, out):
    plate = desk.plates(out.id)[0]
    well = plate.wells[0].name
    header = "plate_id,plate_barcode,well,readout,value"
    same = [f"{plate.id},,{well},gi,1.0", f",{plate.barcode},{well},gi,1.0"]
    done = ingest_results(desk.services, "tiny", desk.write(same, header))
    assert done.file.accepted == 1
    other = [f"{plate.id},,{well},gi,2.0", f",{plate.barcode},{well},gi,3.0"]
    with pytest.raises(ResultsRefusedError, match="another value on line 2"):
        ingest_results(desk.services, "tiny", desk.write(other, header))


@pytest.mark.parametrize(
    ("header", "cells", "told"),
    [
        (
            "plate_id,plate_barcode,well,readout,value",
            "{plate},WRONG,{well},gi,1",
            "barcode 'WRONG'",
        ),
        ("plate_id,dispatch_key,well,readout,value", "{plate},abc,{well},gi,1", "another dispatch"),
        ("plate_id,well,readout,value,unit", "{plate},{well},gi,1,nM", "unit 'nM'"),
    ],
)
def test_what_contradicts_the_dispatch_is_refused(desk, out, header, cells, told):
    plate, well = treated(desk, out)[0]
    path = desk.write([cells.format(plate=plate, well=well.name)], header)
    with pytest.raises(ResultsRefusedError, match=told):
        ingest_results(desk.services, "tiny", path)


def test_results_of_another_campaign_are_sent_there(desk, out, tmp_path):
    other = bench(tmp_path, replace(TINY, name="other"), desk.services)
    theirs = other.rows(other.dispatched().id, plain)
    with pytest.raises(ResultsRefusedError, match=r"results of campaign 'other'.*ingest other"):
        desk.ingest(theirs)
    assert desk.record.measurements == ()
    other.ingest(theirs)
    assert len(other.record.measurements) == len(theirs)


def test_an_unknown_campaign_or_file_is_refused(desk, out, tmp_path):
    path = desk.write(desk.rows(out.id, plain))
    with pytest.raises(CampaignNotFoundError):
        ingest_results(desk.services, "tinny", path)
    with pytest.raises(UnreadableFileError):
        ingest_results(desk.services, "tiny", tmp_path / "none.csv")


def test_a_batch_is_partial_until_every_well_has_reported(desk, out):
    rows = desk.rows(out.id, plain)
    for number, row in enumerate(rows, start=1):
        done = desk.ingest([row])
        last = number == len(rows)
        state = BatchState.COMPLETE if last else BatchState.PARTIAL
        assert [each.state for each in done.batches] == [state]
    assert desk.batch(out.id).scores.measured == 6


def test_wells_that_are_still_out_are_pending_and_those_that_failed_are_on_offer(desk, out):
    (plate, failed), (_, still_out), *rest = treated(desk, out)
    header = "plate_id,well,readout,value,status"
    rows = [f"{plate},{failed.name},gi,,failed"]
    rows += [f"{plate},{well.name},gi,0.5,ok" for _, well in rest]
    ingest_results(desk.services, "tiny", desk.write(rows, header))
    assert [each.key for each in desk.record.pending] == [still_out.perturbation.key]
    assert desk.batch(out.id).state is BatchState.PARTIAL
    # 66 pairs: 4 measured, 1 out.
    offered = {c.perturbation.key for c in desk.propose(61).choices}
    assert failed.perturbation.key in offered
    assert still_out.perturbation.key not in offered


@pytest.mark.parametrize("status", ["failed", "missing", "excluded", "saturated"])
def test_a_batch_without_any_number_has_failed_and_is_all_on_offer(desk, out, status):
    rows = [
        f"{plate.id},{well.name},gi,,{status}"
        for plate in desk.plates(out.id)
        for well in plate.wells
    ]
    path = desk.write(rows, "plate_id,well,readout,value,status")
    done = ingest_results(desk.services, "tiny", path)
    assert [each.state for each in done.batches] == [BatchState.FAILED]
    assert desk.record.pending == []
    assert desk.record.tested == []
    assert len(desk.propose(66).choices) == 66


def test_a_failed_batch_recovers_when_numbers_come_after_all(desk, out):
    desk.ingest(desk.rows(out.id, lambda plate, well: ""))
    assert desk.batch(out.id).state is BatchState.FAILED
    desk.ingest(desk.rows(out.id, plain))
    assert desk.batch(out.id).state is BatchState.COMPLETE
    assert len(desk.record.tested) == 6


def test_only_wells_that_are_ok_are_learned_from(desk, out):
    plate, well = treated(desk, out)[0]
    rows = [f"{plate},{well.name},gi,99,saturated"]
    path = desk.write(rows, "plate_id,well,readout,value,status")
    ingest_results(desk.services, "tiny", path)
    assert desk.record.observed.by_key == {}
    assert desk.record.measurements[0].value == 99


def test_the_lab_can_be_asked_for_results(tmp_path):
    desk = bench(tmp_path, TINY.with_("lab", adapter="simulated", dead=0.0))
    batch = desk.dispatched()
    [done] = collect_results(desk.services, "tiny")
    assert desk.batch(batch.id).state is BatchState.COMPLETE
    assert done.file.accepted == 9
    assert collect_results(desk.services, "tiny") == []


def test_a_file_that_is_finished_later_is_read_again(desk, out):
    folder = desk.services.lab_folder(desk.record.campaign) / out.id
    rows = desk.rows(out.id, honest)
    for text in ([rows[0], *[f"{row.rpartition(',')[0]}," for row in rows[1:]]], rows):
        desk.write(text).rename(folder / "results.csv")
        collect_results(desk.services, "tiny")
    assert desk.batch(out.id).state is BatchState.COMPLETE
    assert len(desk.record.tested) == 6


def test_a_lab_may_retract_a_whole_batch(desk):
    batch = desk.measured()
    rows = [f"{row.rpartition(',')[0]},,failed" for row in desk.rows(batch.id, honest)]
    ingest_results(desk.services, "tiny", desk.write(rows, "plate_id,well,readout,value,status"))
    assert desk.batch(batch.id).state is BatchState.FAILED
    assert desk.record.tested == []


def test_a_lab_that_has_nothing_yet_brings_nothing(desk, out):
    assert collect_results(desk.services, "tiny") == []
    assert desk.batch(out.id).state is BatchState.DISPATCHED
