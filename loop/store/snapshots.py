"""Trained surrogates by id and campaign; their tensors lie in files."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from loop.domain.snapshot import Snapshot
from loop.store.campaigns import missing_campaign
from loop.store.lookup import snapshot_beginning, stale
from loop.store.mapping import snapshot_of, snapshot_progress, snapshot_row
from loop.store.refusals import refusing
from loop.store.tables import SnapshotRow


class SqlSnapshots:
    """`Snapshots` in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, snapshot: Snapshot) -> None:
        """Store a snapshot."""
        with refusing(
            self._session,
            lambda: stale(snapshot.campaign, f"it has snapshot {snapshot.number} already"),
            lambda: missing_campaign(self._session, snapshot.campaign),
        ):
            self._session.add(snapshot_row(snapshot))

    def get(self, campaign: str, snapshot_id: str) -> Snapshot:
        """The snapshot whose id is, or begins with, `snapshot_id`."""
        return snapshot_beginning(self.of(campaign), campaign, snapshot_id)

    def of(self, campaign: str) -> list[Snapshot]:
        """The snapshots of a campaign, by number."""
        by_number = (
            select(SnapshotRow)
            .where(col(SnapshotRow.campaign) == campaign)
            .order_by(col(SnapshotRow.number))
        )
        return [snapshot_of(row) for row in self._session.scalars(by_number)]

    def save(self, snapshot: Snapshot) -> None:
        """Store the state, verdict and staleness of a snapshot that is already there."""
        saved = self._session.scalars(
            update(SnapshotRow)
            .where(
                col(SnapshotRow.campaign) == snapshot.campaign,
                col(SnapshotRow.id) == snapshot.id,
            )
            .values(**snapshot_progress(snapshot))
            .returning(col(SnapshotRow.id))
        ).one_or_none()
        if saved is None:
            # Raises: nothing of this id is there.
            self.get(snapshot.campaign, snapshot.id)
