"""Dispatches by batch, with their plates and wells."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from loop.domain.dispatch import Dispatch
from loop.domain.plate import Well
from loop.store.batches import missing_batch
from loop.store.lookup import dispatched_already
from loop.store.mapping import (
    dispatch_of,
    dispatch_progress,
    dispatch_row,
    plate_rows,
    well_fields,
    well_of,
)
from loop.store.refusals import refusing
from loop.store.tables import BatchRow, DispatchRow, PlateRow, WellRow


class SqlDispatches:
    """`Dispatches` in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, dispatch: Dispatch) -> None:
        """Store a dispatch with its plates and wells."""
        with refusing(
            self._session,
            lambda: dispatched_already(dispatch.batch),
            lambda: missing_batch(self._session, dispatch.batch),
        ):
            self._session.add(dispatch_row(dispatch))
            self._session.flush()
            self._session.add_all(plate_rows(dispatch))
            self._session.flush()
            wells = well_fields(dispatch)
            if wells:
                self._session.execute(insert(WellRow), wells)

    def get(self, batch_id: str) -> Dispatch | None:
        """The dispatch of a batch, if there is one."""
        row = self._session.get(DispatchRow, batch_id)
        return None if row is None else self._filled([row])[0]

    def of(self, campaign: str) -> list[Dispatch]:
        """The dispatches of a campaign, by batch number."""
        by_number = (
            select(DispatchRow)
            .join(BatchRow, col(BatchRow.id) == col(DispatchRow.batch))
            .where(col(BatchRow.campaign) == campaign)
            .order_by(col(BatchRow.number))
        )
        return self._filled(self._session.scalars(by_number).all())

    def save(self, dispatch: Dispatch) -> None:
        """Store the state and reference of a dispatch that is already there."""
        saved = self._session.scalars(
            update(DispatchRow)
            .where(col(DispatchRow.batch) == dispatch.batch)
            .values(**dispatch_progress(dispatch))
            .returning(col(DispatchRow.batch))
        ).one_or_none()
        if saved is None:
            raise missing_batch(self._session, dispatch.batch)

    def _filled(self, rows: Sequence[DispatchRow]) -> list[Dispatch]:
        """Dispatches with their plates; two further queries, however many there are."""
        batches = [row.batch for row in rows]
        plates: dict[str, list[PlateRow]] = defaultdict(list)
        for plate in self._session.scalars(
            select(PlateRow)
            .where(col(PlateRow.batch).in_(batches))
            .order_by(col(PlateRow.batch), col(PlateRow.position))
        ):
            plates[plate.batch].append(plate)
        wells: dict[str, dict[str, list[Well]]] = defaultdict(lambda: defaultdict(list))
        columns = (
            WellRow.batch,
            WellRow.plate,
            WellRow.name,
            WellRow.role,
            WellRow.perturbation,
            WellRow.replicate,
        )
        for batch, plate_id, *fields in self._session.execute(
            select(*(col(column) for column in columns))
            .where(col(WellRow.batch).in_(batches))
            .order_by(col(WellRow.batch), col(WellRow.plate), col(WellRow.position))
        ):
            wells[batch][plate_id].append(well_of(*fields))
        return [dispatch_of(row, plates[row.batch], wells[row.batch]) for row in rows]
