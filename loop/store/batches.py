"""Batches by id."""

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from loop.domain.batch import Batch
from loop.domain.errors import BatchNotFoundError
from loop.store.campaigns import missing_campaign
from loop.store.lookup import no_batch, stale
from loop.store.mapping import batch_of, batch_progress, batch_row
from loop.store.refusals import refusing
from loop.store.tables import BatchRow


class SqlBatches:
    """`Batches` in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, batch: Batch) -> None:
        """Store a new batch."""
        with refusing(
            self._session,
            lambda: stale(batch.campaign, f"it has a batch {batch.number} already"),
            lambda: missing_campaign(self._session, batch.campaign),
        ):
            self._session.add(batch_row(batch))

    def get(self, batch_id: str) -> Batch:
        """The batch of this id."""
        row = self._session.get(BatchRow, batch_id)
        if row is None:
            raise missing_batch(self._session, batch_id)
        return batch_of(row)

    def of(self, campaign: str) -> list[Batch]:
        """The batches of a campaign, by number."""
        by_number = (
            select(BatchRow)
            .where(col(BatchRow.campaign) == campaign)
            .order_by(col(BatchRow.number))
        )
        return [batch_of(row) for row in self._session.scalars(by_number)]

    def save(self, batch: Batch) -> None:
        """Store the state, decision and scores of a batch that is already there."""
        saved = self._session.scalars(
            update(BatchRow)
            .where(col(BatchRow.id) == batch.id)
            .values(**batch_progress(batch))
            .returning(col(BatchRow.id))
        ).one_or_none()
        if saved is None:
            raise missing_batch(self._session, batch.id)


def missing_batch(session: Session, batch_id: str) -> BatchNotFoundError:
    """The error for a batch that is not there, which names the nearest."""
    return no_batch(batch_id, session.scalars(select(col(BatchRow.id))))
