"""Who did what; append-only."""

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from loop.domain.log import LogEntry
from loop.store.mapping import log_entry_of, log_row
from loop.store.tables import LogRow


class SqlLog:
    """`Log` in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def append(self, campaign: str, entry: LogEntry) -> None:
        """Append an entry."""
        self._session.add(log_row(campaign, entry))
        self._session.flush()

    def of(self, campaign: str) -> list[LogEntry]:
        """The entries of a campaign, oldest first."""
        oldest_first = (
            select(LogRow).where(col(LogRow.campaign) == campaign).order_by(col(LogRow.id))
        )
        return [log_entry_of(row) for row in self._session.scalars(oldest_first)]
