"""One session, one transaction."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, Engine
from sqlalchemy.orm import Session

from loop.store.batches import SqlBatches
from loop.store.campaigns import SqlCampaigns
from loop.store.connection import reading, writing
from loop.store.dispatches import SqlDispatches
from loop.store.log import SqlLog
from loop.store.refusals import refusals
from loop.store.results import SqlResults
from loop.store.snapshots import SqlSnapshots


class SqlUnitOfWork:
    """One transaction over all repositories."""

    def __init__(self, session: Session, url: URL) -> None:
        self._session = session
        self._url = url
        self.campaigns = SqlCampaigns(session)
        self.batches = SqlBatches(session)
        self.dispatches = SqlDispatches(session)
        self.results = SqlResults(session)
        self.snapshots = SqlSnapshots(session)
        self.log = SqlLog(session)

    def commit(self) -> None:
        """Make all changes durable, or none."""
        with refusals(self._url):
            self._session.commit()


class SqlStorage:
    """A `Storage` on an engine whose database is of this code's version.

    It may be used from several threads; its connections close with it.
    """

    def __init__(self, engine: Engine) -> None:
        self._reading = reading(engine)
        self._writing = writing(engine)
        self.close = weakref.finalize(self, engine.dispose)

    @contextmanager
    def reading(self) -> Iterator[SqlUnitOfWork]:
        """A unit of work that must not write."""
        with self._unit(self._reading) as work:
            yield work

    @contextmanager
    def writing(self) -> Iterator[SqlUnitOfWork]:
        """A unit of work that may write."""
        with self._unit(self._writing) as work:
            yield work

    @contextmanager
    def _unit(self, engine: Engine) -> Iterator[SqlUnitOfWork]:
        # What is read is turned into domain values at once: nothing is kept for later.
        with (
            refusals(engine.url),
            Session(engine, expire_on_commit=False) as session,
        ):
            session.connection()
            yield SqlUnitOfWork(session, engine.url)
