"""What every `Storage` keeps: derive from `StorageContract` and give the fixture `storage`.

Each test gets a storage of its own that holds nothing yet. Errors are raised where the call
is made, and leave the unit of work usable.
"""

# The names of the tests are their docstrings.
# ruff: noqa: D102

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from threading import Barrier
from typing import Any, cast

import pytest

from loop.contracts.nouns import (
    MOMENT,
    a_batch,
    a_campaign,
    a_dispatch,
    a_file,
    a_log_entry,
    a_measurement,
    a_reasoned_batch,
    a_rejected_row,
    a_snapshot,
)
from loop.domain.batch import BatchState, RoundScores
from loop.domain.dispatch import Dispatch, JobState
from loop.domain.errors import (
    AlreadyExistsError,
    BatchNotFoundError,
    CampaignNotFoundError,
    LoopError,
    SnapshotNotFoundError,
    StaleCampaignError,
    UnavailableError,
    WrongStateError,
)
from loop.domain.observation import Measurement
from loop.domain.snapshot import SnapshotState
from loop.ports.storage import Storage, UnitOfWork


def committed(storage: Storage, *writes: Callable[[UnitOfWork], object]) -> None:
    """Do some writes in one transaction."""
    with storage.writing() as work:
        for write in writes:
            write(work)
        work.commit()


def add_campaign(name: str = "k562", minutes: float = 0.0) -> Callable[[UnitOfWork], object]:
    """The write that adds a campaign."""
    return lambda work: work.campaigns.add(a_campaign(name, minutes))


def add_batch(number: int = 1, campaign: str = "k562") -> Callable[[UnitOfWork], object]:
    """The write that adds a batch."""
    return lambda work: work.batches.add(a_batch(campaign, number))


class TransactionContract:
    """Transactions: visibility, rollback, reading, and two writers at once."""

    @pytest.fixture
    def storage(self) -> Storage:
        raise NotImplementedError

    def test_what_is_committed_is_there(self, storage: Storage) -> None:
        committed(storage, add_campaign())

        with storage.reading() as work:
            assert work.campaigns.get("k562") == a_campaign()

    def test_a_unit_of_work_sees_its_own_writes(self, storage: Storage) -> None:
        with storage.writing() as work:
            work.campaigns.add(a_campaign())
            work.batches.add(a_batch())
            work.batches.save(replace(a_batch(), state=BatchState.APPROVED))
            advanced = work.campaigns.advance(a_campaign())

            assert work.batches.get("k562-001").state is BatchState.APPROVED
            assert work.campaigns.get("k562") == advanced

    def test_without_commit_nothing_is_there(self, storage: Storage) -> None:
        with storage.writing() as work:
            work.campaigns.add(a_campaign())

        with storage.reading() as work:
            assert work.campaigns.all() == []

    def test_after_an_error_nothing_is_there(self, storage: Storage) -> None:
        def fail(work: UnitOfWork) -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            committed(storage, add_campaign(), fail)

        with storage.reading() as work:
            assert work.campaigns.all() == []

    def test_what_is_written_after_the_commit_is_not_there(self, storage: Storage) -> None:
        with storage.writing() as work:
            work.campaigns.add(a_campaign())
            work.commit()
            work.campaigns.add(a_campaign("late"))

        with storage.reading() as work:
            assert [each.name for each in work.campaigns.all()] == ["k562"]

    def test_a_reader_sees_one_moment(self, storage: Storage) -> None:
        committed(storage, add_campaign())

        with storage.reading() as reader:
            before = reader.campaigns.all()
            committed(storage, add_campaign("later", minutes=1))
            after = reader.campaigns.all()

        assert before == after

    def test_a_reader_does_not_see_what_is_not_committed(self, storage: Storage) -> None:
        with storage.writing() as writer:
            writer.campaigns.add(a_campaign())
            with storage.reading() as reader:
                assert reader.campaigns.all() == []
            writer.commit()

    def test_who_reads_must_not_write(self, storage: Storage) -> None:
        with pytest.raises(UnavailableError, match="opened for reading"), storage.reading() as work:
            work.campaigns.add(a_campaign())

        committed(storage, add_campaign("allowed"))

    def test_a_refusal_leaves_the_unit_of_work_usable(self, storage: Storage) -> None:
        with storage.writing() as work:
            work.campaigns.add(a_campaign())
            with pytest.raises(AlreadyExistsError):
                work.campaigns.add(a_campaign())
            work.batches.add(a_batch())
            work.commit()

        with storage.reading() as work:
            assert work.batches.of("k562") == [a_batch()]

    def test_of_two_threads_that_add_the_same_batch_one_wins(self, storage: Storage) -> None:
        committed(storage, add_campaign())
        start = Barrier(2)

        def race(seed: int) -> LoopError | None:
            start.wait(timeout=60)
            try:
                committed(storage, lambda work: work.batches.add(replace(a_batch(), seed=seed)))
            except LoopError as error:
                return error
            return None

        with ThreadPoolExecutor(2) as threads:
            errors = list(threads.map(race, [1, 2]))

        assert sorted(type(error).__name__ for error in errors) == [
            "NoneType",
            StaleCampaignError.__name__,
        ]
        with storage.reading() as work:
            assert [batch.seed for batch in work.batches.of("k562")] == [1 + errors.index(None)]

    def test_of_two_writers_that_read_the_same_version_one_wins(self, storage: Storage) -> None:
        committed(storage, add_campaign())
        read = Barrier(2)

        def race(number: int) -> LoopError | None:
            with storage.reading() as work:
                campaign = work.campaigns.get("k562")
            read.wait(timeout=60)
            try:
                with storage.writing() as work:
                    work.campaigns.advance(campaign)
                    work.batches.add(a_batch(number=number))
                    work.commit()
            except LoopError as error:
                return error
            return None

        with ThreadPoolExecutor(2) as threads:
            errors = list(threads.map(race, [1, 2]))

        assert sorted(type(error).__name__ for error in errors) == [
            "NoneType",
            StaleCampaignError.__name__,
        ]
        with storage.reading() as work:
            assert work.campaigns.get("k562").version == 2
            assert len(work.batches.of("k562")) == 1

    def test_threads_that_read_and_then_write_lose_nothing(self, storage: Storage) -> None:
        committed(storage, add_campaign())

        def count(turns: int) -> None:
            for _ in range(turns):
                with storage.writing() as work:
                    work.campaigns.advance(work.campaigns.get("k562"))
                    work.commit()

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(count, [5] * 4))

        with storage.reading() as work:
            assert work.campaigns.get("k562").version == 21


class CampaignsContract:
    """Campaigns by name, and their versions."""

    @pytest.fixture
    def storage(self) -> Storage:
        raise NotImplementedError

    def test_a_name_is_taken_once(self, storage: Storage) -> None:
        committed(storage, add_campaign())

        with storage.writing() as work, pytest.raises(AlreadyExistsError, match="'k562'"):
            work.campaigns.add(a_campaign(minutes=5))

    def test_a_missing_campaign_is_refused_with_the_nearest_name(self, storage: Storage) -> None:
        committed(storage, add_campaign())

        with storage.reading() as work:
            with pytest.raises(CampaignNotFoundError, match=r"'k56'.*Did you mean 'k562'\?"):
                work.campaigns.get("k56")
            for odd in ("", "\x00", "\udcff", "'; DROP TABLE campaigns; --"):
                with pytest.raises(CampaignNotFoundError):
                    work.campaigns.get(odd)

    def test_campaigns_come_oldest_first(self, storage: Storage) -> None:
        committed(
            storage,
            add_campaign("newest", minutes=2),
            add_campaign("twin-b"),
            add_campaign("twin-a"),
            add_campaign("middle", minutes=1),
        )

        with storage.reading() as work:
            names = [each.name for each in work.campaigns.all()]
        assert names == ["twin-b", "twin-a", "middle", "newest"]

    def test_moments_come_back_equal_and_in_utc(self, storage: Storage) -> None:
        elsewhere = MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30)))
        committed(
            storage, lambda work: work.campaigns.add(replace(a_campaign(), created_at=elsewhere))
        )

        with storage.reading() as work:
            found = work.campaigns.get("k562").created_at
        assert found == MOMENT
        assert found.tzinfo is UTC

    def test_changing_what_was_read_changes_nothing_stored(self, storage: Storage) -> None:
        committed(storage, add_campaign())

        with storage.reading() as work:
            found = work.campaigns.get("k562")
            cast(dict[str, Any], found.surrogate.settings)["members"] = 0
            cast(dict[str, Any], found.lab.settings).clear()
            assert work.campaigns.get("k562") == a_campaign()
            assert work.campaigns.all() == [a_campaign()]

    def test_changing_what_was_added_changes_nothing_stored(self, storage: Storage) -> None:
        campaign = a_campaign()
        with storage.writing() as work:
            work.campaigns.add(campaign)
            cast(dict[str, Any], campaign.surrogate.settings)["members"] = 0
            work.commit()

        with storage.reading() as work:
            assert work.campaigns.get("k562") == a_campaign()

    def test_advancing_counts_one_change(self, storage: Storage) -> None:
        committed(storage, add_campaign(), add_campaign("other"))

        with storage.writing() as work:
            advanced = work.campaigns.advance(work.campaigns.get("k562"))
            again = work.campaigns.advance(advanced)
            work.commit()

        assert advanced == replace(a_campaign(), version=2)
        with storage.reading() as work:
            assert work.campaigns.get("k562") == again == replace(a_campaign(), version=3)
            assert work.campaigns.get("other").version == 1

    def test_a_stale_campaign_cannot_be_advanced(self, storage: Storage) -> None:
        committed(storage, add_campaign(), lambda work: work.campaigns.advance(a_campaign()))

        with storage.writing() as work:
            with pytest.raises(StaleCampaignError, match="nothing was written"):
                work.campaigns.advance(a_campaign())
            assert work.campaigns.get("k562").version == 2

    def test_a_campaign_that_is_gone_cannot_be_advanced(self, storage: Storage) -> None:
        with storage.writing() as work, pytest.raises(StaleCampaignError):
            work.campaigns.advance(a_campaign())


class BatchesContract:
    """Batches and dispatches."""

    @pytest.fixture
    def storage(self) -> Storage:
        raise NotImplementedError

    def test_a_batch_comes_back_equal(self, storage: Storage) -> None:
        committed(storage, add_campaign(), add_batch())

        with storage.reading() as work:
            found = work.batches.get("k562-001")
            cast(dict[str, Any], found.choices[0].belief).clear()
            assert work.batches.get("k562-001") == a_batch()

    def test_reasons_and_forecast_of_a_batch_come_back(self, storage: Storage) -> None:
        committed(storage, add_campaign(), lambda work: work.batches.add(a_reasoned_batch()))
        decided = replace(a_reasoned_batch(), state=BatchState.APPROVED)
        committed(storage, lambda work: work.batches.save(decided))

        with storage.reading() as work:
            assert work.batches.get("k562-001") == decided

    def test_batches_come_by_number(self, storage: Storage) -> None:
        committed(storage, add_campaign(), add_campaign("other"))
        committed(storage, add_batch(10), add_batch(9), add_batch(1, "other"), add_batch(2))

        with storage.reading() as work:
            assert [batch.number for batch in work.batches.of("k562")] == [2, 9, 10]
            assert work.batches.of("nowhere") == []

    def test_a_number_is_taken_once_in_a_campaign(self, storage: Storage) -> None:
        committed(storage, add_campaign(), add_campaign("other"), add_batch())

        with storage.writing() as work:
            with pytest.raises(StaleCampaignError, match="batch 1"):
                work.batches.add(replace(a_batch(), id="another-id"))
            work.batches.add(a_batch("other"))
            assert work.batches.of("k562") == [a_batch()]

    def test_a_batch_of_no_campaign_is_refused(self, storage: Storage) -> None:
        with storage.writing() as work, pytest.raises(CampaignNotFoundError, match="'k562'"):
            work.batches.add(a_batch())

    def test_a_missing_batch_is_refused_with_the_nearest_id(self, storage: Storage) -> None:
        committed(storage, add_campaign(), add_batch())

        with storage.writing() as work:
            with pytest.raises(BatchNotFoundError, match=r"Did you mean 'k562-001'\?"):
                work.batches.get("k562-01")
            with pytest.raises(BatchNotFoundError):
                work.batches.save(a_batch(number=2))

    def test_saving_changes_state_decision_and_scores_and_nothing_else(
        self, storage: Storage
    ) -> None:
        committed(storage, add_campaign(), add_batch(), add_batch(2))
        scores = RoundScores(2, 1, 0.5, 1.25, float("inf"), None, 1.0, None, 0.9)
        decided = replace(
            a_batch(), state=BatchState.COMPLETE, decided_by="ada", why='"fine"\x00', scores=scores
        )

        committed(storage, lambda work: work.batches.save(replace(decided, choices=(), seed=99)))

        with storage.reading() as work:
            assert work.batches.of("k562") == [decided, a_batch(number=2)]

    def test_a_dispatch_comes_back_with_plates_and_wells_in_their_order(
        self, storage: Storage
    ) -> None:
        dispatch = a_dispatch(a_batch())
        committed(storage, add_campaign(), add_batch(), add_batch(2))

        committed(storage, lambda work: work.dispatches.add(dispatch))

        with storage.reading() as work:
            assert work.dispatches.get("k562-001") == dispatch
            assert work.dispatches.get("k562-002") is None

    def test_dispatches_come_by_batch_number(self, storage: Storage) -> None:
        committed(storage, add_campaign(), *(add_batch(number) for number in (1, 2, 10)))
        dispatches = {number: a_dispatch(a_batch(number=number)) for number in (10, 1, 2)}

        committed(storage, *(_adding(dispatch) for dispatch in dispatches.values()))

        with storage.reading() as work:
            assert work.dispatches.of("k562") == [dispatches[1], dispatches[2], dispatches[10]]
            assert work.dispatches.of("nowhere") == []

    def test_a_batch_is_dispatched_once(self, storage: Storage) -> None:
        committed(storage, add_campaign(), add_batch(), _adding(a_dispatch(a_batch())))

        with storage.writing() as work:
            with pytest.raises(WrongStateError, match="'k562-001'"):
                work.dispatches.add(a_dispatch(a_batch(), key="another"))
            assert work.dispatches.of("k562") == [a_dispatch(a_batch())]

    def test_a_key_is_used_once(self, storage: Storage) -> None:
        committed(storage, add_campaign(), add_batch(), add_batch(2))
        committed(storage, _adding(a_dispatch(a_batch(), key="key")))

        with storage.writing() as work, pytest.raises(WrongStateError):
            work.dispatches.add(a_dispatch(a_batch(number=2), key="key"))

    def test_what_is_no_batch_cannot_be_dispatched(self, storage: Storage) -> None:
        committed(storage, add_campaign())

        with storage.writing() as work:
            with pytest.raises(BatchNotFoundError):
                work.dispatches.add(a_dispatch(a_batch()))
            with pytest.raises(BatchNotFoundError):
                work.dispatches.save(a_dispatch(a_batch()))

    def test_saving_a_dispatch_changes_state_and_reference_and_nothing_else(
        self, storage: Storage
    ) -> None:
        dispatch = a_dispatch(a_batch())
        committed(storage, add_campaign(), add_batch(), _adding(dispatch))
        queued = replace(dispatch, state=JobState.QUEUED, reference="job/7")

        committed(storage, lambda work: work.dispatches.save(replace(queued, plates=())))

        with storage.reading() as work:
            assert work.dispatches.get("k562-001") == queued


class ResultsContract:
    """Measurements, snapshots and the log."""

    @pytest.fixture
    def storage(self) -> Storage:
        raise NotImplementedError

    def test_what_a_file_brought_comes_back(self, storage: Storage) -> None:
        measurements = [a_measurement("C03"), a_measurement("A01", value=None)]
        rejected = [a_rejected_row(9), a_rejected_row(2)]
        committed(storage, add_campaign())

        committed(
            storage, lambda work: work.results.record("k562", a_file(), measurements, rejected)
        )

        with storage.reading() as work:
            assert work.results.current("k562") == measurements
            assert work.results.rejected("k562") == rejected
            assert work.results.file("k562", "f" * 64) == a_file()
            assert work.results.files("k562") == [a_file()]

    def test_another_campaign_has_none_of_it(self, storage: Storage) -> None:
        committed(storage, add_campaign(), add_campaign("other"), _recording(a_measurement()))

        with storage.reading() as work:
            assert work.results.current("other") == []
            assert work.results.rejected("other") == []
            assert work.results.file("other", "f" * 64) is None
            assert work.results.files("other") == []
            assert work.results.file("k562", "0" * 64) is None

    def test_the_highest_revision_is_current_in_the_order_first_seen(
        self, storage: Storage
    ) -> None:
        first, second = a_measurement("C03"), a_measurement("B02")
        committed(storage, add_campaign(), _recording(first, second))
        third = a_measurement("A01", source="1" * 64)
        newer = a_measurement("B02", 9.0, revision=2, source="1" * 64)
        committed(storage, _recording(third, newer))
        newest = a_measurement("C03", None, revision=2, source="2" * 64)
        committed(storage, _recording(newest))

        with storage.reading() as work:
            assert work.results.current("k562") == [newest, newer, third]
            assert [file.sha256[0] for file in work.results.files("k562")] == ["f", "1", "2"]

    def test_readouts_of_one_well_do_not_meet(self, storage: Storage) -> None:
        growth = replace(a_measurement(), readout="growth", value=-1e300)
        committed(storage, add_campaign(), _recording(a_measurement(), growth))

        with storage.reading() as work:
            assert work.results.current("k562") == [a_measurement(), growth]

    def test_the_same_bytes_are_recorded_once(self, storage: Storage) -> None:
        committed(storage, add_campaign(), _recording(a_measurement()))

        with storage.writing() as work:
            with pytest.raises(StaleCampaignError, match="there already"):
                work.results.record("k562", a_file(), [a_measurement("D04")], [a_rejected_row()])
            assert work.results.current("k562") == [a_measurement()]
            assert work.results.rejected("k562") == []

    def test_a_revision_is_recorded_once_and_a_refused_file_leaves_nothing(
        self, storage: Storage
    ) -> None:
        committed(storage, add_campaign(), _recording(a_measurement()))
        file = a_file("other.csv", "1" * 64)
        again = [a_measurement("D04", source="1" * 64), a_measurement(source="1" * 64)]

        with storage.writing() as work:
            with pytest.raises(StaleCampaignError):
                work.results.record("k562", file, again, [])
            work.commit()

        with storage.reading() as work:
            assert work.results.current("k562") == [a_measurement()]
            assert work.results.files("k562") == [a_file("f.csv")]

    def test_results_of_no_campaign_are_refused(self, storage: Storage) -> None:
        with storage.writing() as work, pytest.raises(CampaignNotFoundError):
            work.results.record("k562", a_file(), [a_measurement()], [])

    def test_a_file_may_bring_nothing(self, storage: Storage) -> None:
        committed(
            storage, add_campaign(), lambda work: work.results.record("k562", a_file(), [], [])
        )

        with storage.reading() as work:
            assert work.results.files("k562") == [a_file()]

    def test_a_snapshot_is_found_by_its_id_or_how_it_begins(self, storage: Storage) -> None:
        one = a_snapshot(snapshot_id="abcd" + "1" * 60)
        two = a_snapshot(number=2, snapshot_id="abcd" + "2" * 60)
        committed(storage, add_campaign(), add_campaign("other"))
        committed(
            storage, lambda work: work.snapshots.add(two), lambda work: work.snapshots.add(one)
        )

        with storage.reading() as work:
            assert work.snapshots.of("k562") == [one, two]
            assert work.snapshots.of("other") == []
            assert work.snapshots.get("k562", two.id) == two
            assert work.snapshots.get("k562", "abcd1") == one
            for wrong in ("abcd", "abc", "ffff", "", "%", "abcd_", two.id + "2"):
                with pytest.raises(SnapshotNotFoundError):
                    work.snapshots.get("k562", wrong)
            with pytest.raises(SnapshotNotFoundError):
                work.snapshots.get("other", two.id)

    def test_a_snapshot_number_and_id_are_taken_once_in_a_campaign(self, storage: Storage) -> None:
        committed(storage, add_campaign(), add_campaign("other"))
        committed(storage, lambda work: work.snapshots.add(a_snapshot()))

        with storage.writing() as work:
            with pytest.raises(StaleCampaignError):
                work.snapshots.add(a_snapshot(snapshot_id="e" * 64))
            with pytest.raises(StaleCampaignError):
                work.snapshots.add(a_snapshot(number=2))
            work.snapshots.add(a_snapshot("other"))
            with pytest.raises(CampaignNotFoundError):
                work.snapshots.add(a_snapshot("nowhere"))

    def test_saving_a_snapshot_changes_state_verdict_and_staleness_and_nothing_else(
        self, storage: Storage
    ) -> None:
        committed(storage, add_campaign(), lambda work: work.snapshots.add(a_snapshot()))
        retired = replace(a_snapshot(), state=SnapshotState.RETIRED, verdict="Beaten.", stale=True)

        with storage.writing() as work:
            work.snapshots.save(replace(retired, scores={}, observations=0))
            with pytest.raises(SnapshotNotFoundError):
                work.snapshots.save(a_snapshot(snapshot_id="e" * 64))
            work.commit()

        with storage.reading() as work:
            assert work.snapshots.of("k562") == [retired]

    def test_the_log_keeps_its_order_and_each_campaign_its_own(self, storage: Storage) -> None:
        second, first = a_log_entry("second"), a_log_entry("first")
        early = replace(a_log_entry("early"), at=MOMENT - timedelta(days=1))

        committed(
            storage,
            lambda work: work.log.append("k562", second),
            lambda work: work.log.append("k562", first),
        )
        committed(storage, lambda work: work.log.append("other", a_log_entry()))
        committed(storage, lambda work: work.log.append("k562", early))

        with storage.reading() as work:
            assert work.log.of("k562") == [second, first, early]
            assert work.log.of("other") == [a_log_entry()]


class StorageContract(TransactionContract, CampaignsContract, BatchesContract, ResultsContract):
    """All of it."""


def _adding(dispatch: Dispatch) -> Callable[[UnitOfWork], object]:
    return lambda work: work.dispatches.add(dispatch)


def _recording(*measurements: Measurement) -> Callable[[UnitOfWork], object]:
    source = measurements[0].source
    file = a_file(f"{source[0]}.csv", source)
    return lambda work: work.results.record("k562", file, measurements, [])
