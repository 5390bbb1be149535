"""Stand-ins that keep the contracts of the ports: storage in memory, a clock that stands."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy, deepcopy
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from threading import Lock

from loop.domain.batch import Batch
from loop.domain.campaign import Campaign
from loop.domain.dispatch import Dispatch
from loop.domain.errors import UnavailableError
from loop.domain.log import LogEntry
from loop.domain.observation import Measurement, RejectedRow, ResultsFile
from loop.domain.snapshot import Snapshot
from loop.store.lookup import (
    campaign_exists,
    dispatched_already,
    no_batch,
    no_campaign,
    snapshot_beginning,
    stale,
)


@dataclass
class FixedClock:
    """A `Clock` that moves only when it is told to."""

    moment: datetime = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment

    def advance(self, by: timedelta) -> None:
        self.moment += by


@dataclass
class _Tables:
    """What is stored; the lists keep the order in which things were added."""

    campaigns: dict[str, Campaign] = field(default_factory=dict)
    batches: dict[str, Batch] = field(default_factory=dict)
    dispatches: dict[str, Dispatch] = field(default_factory=dict)
    files: list[tuple[str, ResultsFile]] = field(default_factory=list)
    measurements: list[tuple[str, Measurement]] = field(default_factory=list)
    rejected: list[tuple[str, RejectedRow]] = field(default_factory=list)
    snapshots: dict[tuple[str, str], Snapshot] = field(default_factory=dict)
    log: list[tuple[str, LogEntry]] = field(default_factory=list)
    may_write: bool = True

    def copied(self, may_write: bool = True) -> "_Tables":
        """Tables of their own; what is in them never changes, so it is shared."""
        return _Tables(
            **{
                each.name: copy(getattr(self, each.name))
                for each in fields(self)
                if each.name != "may_write"
            },
            may_write=may_write,
        )

    def written(self) -> "_Tables":
        """These tables, asked for in order to write."""
        if not self.may_write:
            msg = "The database may not be written here: it was opened for reading."
            raise UnavailableError(msg)
        return self

    def require_campaign(self, name: str) -> None:
        if name not in self.campaigns:
            raise no_campaign(name, self.campaigns)


class _Campaigns:
    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def add(self, campaign: Campaign) -> None:
        stored = self._tables.written().campaigns
        if campaign.name in stored:
            raise campaign_exists(campaign.name)
        utc = replace(campaign, created_at=campaign.created_at.astimezone(UTC))
        stored[campaign.name] = deepcopy(utc)

    def get(self, name: str) -> Campaign:
        self._tables.require_campaign(name)
        return deepcopy(self._tables.campaigns[name])

    def all(self) -> list[Campaign]:
        return deepcopy(
            sorted(self._tables.campaigns.values(), key=lambda campaign: campaign.created_at)
        )

    def advance(self, campaign: Campaign) -> Campaign:
        stored = self._tables.written().campaigns
        found = stored.get(campaign.name)
        if found is None or found.version != campaign.version:
            raise stale(campaign.name, f"version {campaign.version} is no longer the newest")
        stored[campaign.name] = replace(found, version=found.version + 1)
        return replace(campaign, version=campaign.version + 1)


class _Batches:
    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def add(self, batch: Batch) -> None:
        stored = self._tables.written().batches
        taken = {each.number for each in self.of(batch.campaign)}
        if batch.id in stored or batch.number in taken:
            raise stale(batch.campaign, f"it has a batch {batch.number} already")
        self._tables.require_campaign(batch.campaign)
        stored[batch.id] = deepcopy(batch)

    def get(self, batch_id: str) -> Batch:
        if batch_id not in self._tables.batches:
            raise no_batch(batch_id, self._tables.batches)
        return deepcopy(self._tables.batches[batch_id])

    def of(self, campaign: str) -> list[Batch]:
        found = [each for each in self._tables.batches.values() if each.campaign == campaign]
        return deepcopy(sorted(found, key=lambda batch: batch.number))

    def save(self, batch: Batch) -> None:
        stored = self._tables.written().batches
        stored[batch.id] = replace(
            self.get(batch.id),
            state=batch.state,
            decided_by=batch.decided_by,
            why=batch.why,
            scores=batch.scores,
        )


class _Dispatches:
    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def add(self, dispatch: Dispatch) -> None:
        stored = self._tables.written().dispatches
        if dispatch.batch in stored or dispatch.key in {each.key for each in stored.values()}:
            raise dispatched_already(dispatch.batch)
        self._require_batch(dispatch.batch, self._tables.batches)
        stored[dispatch.batch] = deepcopy(dispatch)

    def get(self, batch_id: str) -> Dispatch | None:
        return deepcopy(self._tables.dispatches.get(batch_id))

    def of(self, campaign: str) -> list[Dispatch]:
        batches = self._tables.batches
        found = [
            each
            for each in self._tables.dispatches.values()
            if batches[each.batch].campaign == campaign
        ]
        return deepcopy(sorted(found, key=lambda dispatch: batches[dispatch.batch].number))

    def save(self, dispatch: Dispatch) -> None:
        stored = self._tables.written().dispatches
        self._require_batch(dispatch.batch, stored)
        stored[dispatch.batch] = replace(
            stored[dispatch.batch], state=dispatch.state, reference=dispatch.reference
        )

    def _require_batch(self, batch_id: str, known: dict[str, Batch] | dict[str, Dispatch]) -> None:
        if batch_id not in known:
            raise no_batch(batch_id, self._tables.batches)


class _Results:
    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def record(
        self,
        campaign: str,
        file: ResultsFile,
        measurements: Sequence[Measurement],
        rejected: Sequence[RejectedRow],
    ) -> None:
        tables = self._tables.written()
        keys = [_measured(campaign, each) for each in measurements]
        known = {_measured(owner, each) for owner, each in tables.measurements}
        if self.file(campaign, file.sha256) or known & set(keys) or len(set(keys)) < len(keys):
            raise stale(campaign, f"results of file {file.name!r} are there already")
        tables.require_campaign(campaign)
        tables.files.append((campaign, file))
        tables.measurements.extend((campaign, each) for each in measurements)
        tables.rejected.extend((campaign, each) for each in rejected)

    def file(self, campaign: str, sha256: str) -> ResultsFile | None:
        return next((each for each in self.files(campaign) if each.sha256 == sha256), None)

    def files(self, campaign: str) -> list[ResultsFile]:
        return [each for owner, each in self._tables.files if owner == campaign]

    def current(self, campaign: str) -> list[Measurement]:
        newest: dict[tuple[str, str, str], Measurement] = {}
        for owner, each in self._tables.measurements:
            place = (each.plate, each.well, each.readout)
            if owner == campaign and each.revision >= newest.get(place, each).revision:
                newest[place] = each
        return list(newest.values())

    def rejected(self, campaign: str) -> list[RejectedRow]:
        return [each for owner, each in self._tables.rejected if owner == campaign]


def _measured(campaign: str, measurement: Measurement) -> tuple[str, str, str, str, int]:
    each = measurement
    return (campaign, each.plate, each.well, each.readout, each.revision)


class _Snapshots:
    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def add(self, snapshot: Snapshot) -> None:
        stored = self._tables.written().snapshots
        taken = {each.number for each in self.of(snapshot.campaign)}
        if (snapshot.campaign, snapshot.id) in stored or snapshot.number in taken:
            raise stale(snapshot.campaign, f"it has snapshot {snapshot.number} already")
        self._tables.require_campaign(snapshot.campaign)
        stored[snapshot.campaign, snapshot.id] = deepcopy(snapshot)

    def get(self, campaign: str, snapshot_id: str) -> Snapshot:
        return snapshot_beginning(self.of(campaign), campaign, snapshot_id)

    def of(self, campaign: str) -> list[Snapshot]:
        found = [each for each in self._tables.snapshots.values() if each.campaign == campaign]
        return deepcopy(sorted(found, key=lambda snapshot: snapshot.number))

    def save(self, snapshot: Snapshot) -> None:
        stored = self._tables.written().snapshots
        place = (snapshot.campaign, snapshot.id)
        if place not in stored:
            self.get(snapshot.campaign, snapshot.id)
        stored[place] = replace(
            stored[place], state=snapshot.state, verdict=snapshot.verdict, stale=snapshot.stale
        )


class _Log:
    def __init__(self, tables: _Tables) -> None:
        self._tables = tables

    def append(self, campaign: str, entry: LogEntry) -> None:
        self._tables.written().log.append((campaign, entry))

    def of(self, campaign: str) -> list[LogEntry]:
        return [each for owner, each in self._tables.log if owner == campaign]


class _UnitOfWork:
    """Works on a copy, which `commit` makes the truth."""

    def __init__(self, storage: "MemoryStorage", tables: _Tables) -> None:
        self._storage = storage
        self._tables = tables
        self.campaigns = _Campaigns(tables)
        self.batches = _Batches(tables)
        self.dispatches = _Dispatches(tables)
        self.results = _Results(tables)
        self.snapshots = _Snapshots(tables)
        self.log = _Log(tables)

    def commit(self) -> None:
        if self._tables.may_write:
            self._storage.tables = self._tables.copied()


class MemoryStorage:
    """A `Storage` that forgets; one writer at a time, readers keep their moment."""

    def __init__(self) -> None:
        self.tables = _Tables()
        self._writer = Lock()

    @contextmanager
    def reading(self) -> Iterator[_UnitOfWork]:
        yield _UnitOfWork(self, self.tables.copied(may_write=False))

    @contextmanager
    def writing(self) -> Iterator[_UnitOfWork]:
        with self._writer:
            yield _UnitOfWork(self, self.tables.copied())
