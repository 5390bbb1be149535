"""What the hub asks of storage and of the clock.

A unit of work is one transaction. `Storage.writing()` takes the writer's place at once (so a
read that becomes a write never fails for that), `Storage.reading()` sees one moment. Both are
context managers; leaving without `commit` leaves no trace. What a repository returns is a value:
changing it changes nothing stored.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from loop.domain.batch import Batch
from loop.domain.campaign import Campaign
from loop.domain.dispatch import Dispatch
from loop.domain.log import LogEntry
from loop.domain.observation import Measurement, RejectedRow, ResultsFile
from loop.domain.snapshot import Snapshot
from loop.ports.arrays import SurrogateState


class Campaigns(Protocol):
    """Campaigns by name."""

    def add(self, campaign: Campaign) -> None:
        """Store a new campaign.

        Raises:
            AlreadyExistsError: If the name is taken.
        """
        ...

    def get(self, name: str) -> Campaign:
        """The campaign of this name.

        Raises:
            CampaignNotFoundError: If there is none; the sentence names the nearest.
        """
        ...

    def all(self) -> list[Campaign]:
        """Every campaign, oldest first."""
        ...

    def advance(self, campaign: Campaign) -> Campaign:
        """Count one change, and return the campaign with its new version.

        Every use case that writes for a campaign calls this once with the campaign it read.

        Raises:
            StaleCampaignError: If the stored version is no longer `campaign.version`.
        """
        ...


class Batches(Protocol):
    """Batches by id; `choices` never change, all else may."""

    def add(self, batch: Batch) -> None:
        """Store a new batch.

        Raises:
            StaleCampaignError: If the campaign already has a batch of this number.
        """
        ...

    def get(self, batch_id: str) -> Batch:
        """The batch of this id.

        Raises:
            BatchNotFoundError: If there is none; the sentence names the nearest.
        """
        ...

    def of(self, campaign: str) -> list[Batch]:
        """The batches of a campaign, by number."""
        ...

    def save(self, batch: Batch) -> None:
        """Store the state, decision and scores of a batch that is already there."""
        ...


class Dispatches(Protocol):
    """Batches on their way through a lab; at most one for each batch and for each key."""

    def add(self, dispatch: Dispatch) -> None:
        """Store a dispatch with its plates and wells.

        Raises:
            WrongStateError: If the batch has been dispatched already.
        """
        ...

    def get(self, batch_id: str) -> Dispatch | None:
        """The dispatch of a batch, if there is one."""
        ...

    def of(self, campaign: str) -> list[Dispatch]:
        """The dispatches of a campaign, by batch number."""
        ...

    def save(self, dispatch: Dispatch) -> None:
        """Store the state and reference of a dispatch that is already there."""
        ...


class Results(Protocol):
    """Measurements: append-only, with revisions."""

    def record(
        self,
        campaign: str,
        file: ResultsFile,
        measurements: Sequence[Measurement],
        rejected: Sequence[RejectedRow],
    ) -> None:
        """Append what a file brought. A measurement supersedes those of lower revision."""
        ...

    def file(self, campaign: str, sha256: str) -> ResultsFile | None:
        """The file of these bytes, if this campaign has ingested it."""
        ...

    def files(self, campaign: str) -> list[ResultsFile]:
        """The files of a campaign, in the order ingested."""
        ...

    def current(self, campaign: str) -> list[Measurement]:
        """The newest revision for each plate, well and readout, in the order first seen."""
        ...

    def rejected(self, campaign: str) -> list[RejectedRow]:
        """The rows set aside, in the order seen."""
        ...


class Snapshots(Protocol):
    """Trained surrogates by id and campaign (the tensors themselves lie in a `StateStore`)."""

    def add(self, snapshot: Snapshot) -> None:
        """Store a snapshot.

        Raises:
            StaleCampaignError: If the campaign already has a snapshot of this number or id.
        """
        ...

    def get(self, campaign: str, snapshot_id: str) -> Snapshot:
        """The snapshot whose id is, or begins with, `snapshot_id` (at least 4 characters).

        Raises:
            SnapshotNotFoundError: If there is none, or more than one.
        """
        ...

    def of(self, campaign: str) -> list[Snapshot]:
        """The snapshots of a campaign, by number."""
        ...

    def save(self, snapshot: Snapshot) -> None:
        """Store the state, verdict and staleness of a snapshot that is already there."""
        ...


class Log(Protocol):
    """Who did what; append-only."""

    def append(self, campaign: str, entry: LogEntry) -> None:
        """Append an entry."""
        ...

    def of(self, campaign: str) -> list[LogEntry]:
        """The entries of a campaign, oldest first."""
        ...


class UnitOfWork(Protocol):
    """One transaction over all repositories."""

    @property
    def campaigns(self) -> Campaigns: ...  # noqa: D102
    @property
    def batches(self) -> Batches: ...  # noqa: D102
    @property
    def dispatches(self) -> Dispatches: ...  # noqa: D102
    @property
    def results(self) -> Results: ...  # noqa: D102
    @property
    def snapshots(self) -> Snapshots: ...  # noqa: D102
    @property
    def log(self) -> Log: ...  # noqa: D102

    def commit(self) -> None:
        """Make all changes durable, or none.

        Raises:
            StorageFullError: If the disk is full; nothing was written.
        """
        ...


class Storage(Protocol):
    """A database."""

    def reading(self) -> AbstractContextManager[UnitOfWork]:
        """A unit of work that must not write."""
        ...

    def writing(self) -> AbstractContextManager[UnitOfWork]:
        """A unit of work that may write."""
        ...


class StateStore(Protocol):
    """Surrogate states as content-addressed files: written whole or not at all."""

    def save(self, state: SurrogateState) -> str:
        """Store a state and return its id, the SHA-256 of the bytes written.

        Raises:
            StorageFullError: If the disk is full; nothing is left behind.
        """
        ...

    def load(self, state_id: str) -> SurrogateState:
        """The state of this id.

        Raises:
            SnapshotNotFoundError: If there is no such file, or its bytes do not match its id.
        """
        ...


class InputStore(Protocol):
    """Input files of campaigns (libraries, embeddings), content-addressed."""

    def save(self, files: Mapping[str, bytes]) -> str:
        """Store a group of named files and return its id.

        Raises:
            StorageFullError: If the disk is full; nothing is left behind.
        """
        ...

    def load(self, input_id: str) -> dict[str, bytes]:
        """The files of this id.

        Raises:
            UnreadableFileError: If they are gone or damaged.
        """
        ...


class Clock(Protocol):
    """The time is an argument."""

    def now(self) -> datetime:
        """Now, in UTC, with its zone."""
        ...
