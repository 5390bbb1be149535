"""Measurements: append-only, with revisions."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import and_, func, insert, select
from sqlalchemy.orm import Session
from sqlmodel import col

from loop.domain.observation import Measurement, RejectedRow, ResultsFile
from loop.store.campaigns import missing_campaign
from loop.store.lookup import stale
from loop.store.mapping import (
    measurement_fields,
    measurement_of,
    rejected_fields,
    rejected_of,
    results_file_of,
    results_file_row,
)
from loop.store.refusals import refusing
from loop.store.tables import MeasurementRow, RejectedRowRow, ResultsFileRow, Row

_AT_ONCE = 10_000
"""Rows handed to the driver at once: bounds the memory of a large file."""

_Noun = TypeVar("_Noun")


class SqlResults:
    """`Results` in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def record(
        self,
        campaign: str,
        file: ResultsFile,
        measurements: Sequence[Measurement],
        rejected: Sequence[RejectedRow],
    ) -> None:
        """Append what a file brought, as one: all of it or nothing."""
        with refusing(
            self._session,
            lambda: stale(campaign, f"results of file {file.name!r} are there already"),
            lambda: missing_campaign(self._session, campaign),
        ):
            self._session.add(results_file_row(campaign, file))
            self._session.flush()
            self._append(MeasurementRow, measurements, measurement_fields, campaign)
            self._append(RejectedRowRow, rejected, rejected_fields, campaign)

    def file(self, campaign: str, sha256: str) -> ResultsFile | None:
        """The file of these bytes, if this campaign has ingested it."""
        row = self._session.scalars(
            select(ResultsFileRow).where(
                col(ResultsFileRow.campaign) == campaign, col(ResultsFileRow.sha256) == sha256
            )
        ).one_or_none()
        return None if row is None else results_file_of(row)

    def files(self, campaign: str) -> list[ResultsFile]:
        """The files of a campaign, in the order ingested."""
        rows = (
            select(ResultsFileRow)
            .where(col(ResultsFileRow.campaign) == campaign)
            .order_by(col(ResultsFileRow.id))
        )
        return [results_file_of(row) for row in self._session.scalars(rows)]

    def current(self, campaign: str) -> list[Measurement]:
        """The newest revision for each plate, well and readout, in the order first seen."""
        row = MeasurementRow
        newest = (
            select(
                col(row.plate).label("plate"),
                col(row.well).label("well"),
                col(row.readout).label("readout"),
                func.max(row.revision).label("revision"),
                func.min(row.id).label("first_seen"),
            )
            .where(col(row.campaign) == campaign)
            .group_by(col(row.plate), col(row.well), col(row.readout))
            .subquery()
        )
        fields = (
            select(
                *(
                    col(column)
                    for column in (
                        row.plate,
                        row.well,
                        row.readout,
                        row.value,
                        row.unit,
                        row.status,
                        row.source,
                        row.measured_at,
                        row.flag,
                        row.revision,
                    )
                )
            )
            .join(
                newest,
                and_(
                    col(row.plate) == newest.c.plate,
                    col(row.well) == newest.c.well,
                    col(row.readout) == newest.c.readout,
                    col(row.revision) == newest.c.revision,
                ),
            )
            .where(col(row.campaign) == campaign)
            .order_by(newest.c.first_seen)
        )
        return [measurement_of(found) for found in self._session.execute(fields)]

    def rejected(self, campaign: str) -> list[RejectedRow]:
        """The rows set aside, in the order seen."""
        rows = (
            select(RejectedRowRow)
            .where(col(RejectedRowRow.campaign) == campaign)
            .order_by(col(RejectedRowRow.id))
        )
        return [rejected_of(row) for row in self._session.scalars(rows)]

    def _append(
        self,
        table: type[Row],
        nouns: Sequence[_Noun],
        fields: Callable[[str, _Noun], dict[str, Any]],
        campaign: str,
    ) -> None:
        for start in range(0, len(nouns), _AT_ONCE):
            rows = [fields(campaign, noun) for noun in nouns[start : start + _AT_ONCE]]
            self._session.connection().execute(insert(table), rows)
