"""The rows. A change here needs a migration (`python -m loop.store.migrations.draft "why"`).

Seeds are text, because a seed may be larger than 64 bits. Rows that only ever grow count
themselves with `id`, which is the order they were seen in.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    MetaData,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from loop.store.columns import OPTIONAL_JSON, SERIAL, AnyText, UtcTime

_EMPTY = text("''")

_NAMES = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(referred_table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
}


class Row(SQLModel, registry=registry(metadata=MetaData(naming_convention=_NAMES))):
    """A row of our own metadata, apart from any other SQLModel in the process."""


class CampaignRow(Row, table=True):
    """One campaign."""

    __tablename__ = "campaigns"
    __table_args__ = (
        UniqueConstraint("name"),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("budget >= 0", name="budget"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=SERIAL)
    name: str = Field(sa_type=AnyText)
    goal: str = Field(sa_type=AnyText)
    seed: str = Field(sa_type=AnyText)
    readouts: list[dict[str, Any]] = Field(sa_type=JSON)
    library_hash: str = Field(sa_type=AnyText)
    embeddings_hash: str | None = Field(default=None, sa_type=AnyText)
    batch: dict[str, Any] = Field(sa_type=JSON)
    surrogate: dict[str, Any] = Field(sa_type=JSON)
    acquisition: dict[str, Any] = Field(sa_type=JSON)
    lab: dict[str, Any] = Field(sa_type=JSON)
    retrain: dict[str, Any] = Field(sa_type=JSON)
    budget: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})
    version: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": "1"})
    created_at: datetime = Field(sa_type=UtcTime)


class BatchRow(Row, table=True):
    """One batch with its choices."""

    __tablename__ = "batches"
    __table_args__ = (
        ForeignKeyConstraint(["campaign"], ["campaigns.name"]),
        UniqueConstraint("campaign", "number"),
        CheckConstraint("replicates >= 1", name="replicates"),
    )

    id: str = Field(primary_key=True, sa_type=AnyText)
    campaign: str = Field(sa_type=AnyText)
    number: int = Field(sa_type=BigInteger)
    choices: list[dict[str, Any]] = Field(sa_type=JSON)
    seed: str = Field(sa_type=AnyText)
    surrogate: str = Field(sa_type=AnyText)
    acquisition: str = Field(sa_type=AnyText)
    snapshot: str | None = Field(default=None, sa_type=AnyText)
    replicates: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": "1"})
    state: str = Field(sa_type=AnyText)
    decided_by: str | None = Field(default=None, sa_type=AnyText)
    why: str | None = Field(default=None, sa_type=AnyText)
    scores: dict[str, Any] | None = Field(default=None, sa_type=OPTIONAL_JSON)
    created_at: datetime = Field(sa_type=UtcTime)
    forecast: dict[str, Any] | None = Field(default=None, sa_type=OPTIONAL_JSON)
    notes: list[str] | None = Field(default=None, sa_type=OPTIONAL_JSON)


class DispatchRow(Row, table=True):
    """One batch on its way through a lab; its plates and wells are rows of their own."""

    __tablename__ = "dispatches"
    __table_args__ = (
        ForeignKeyConstraint(["batch"], ["batches.id"]),
        UniqueConstraint("key"),
    )

    batch: str = Field(primary_key=True, sa_type=AnyText)
    key: str = Field(sa_type=AnyText)
    adapter: str = Field(sa_type=AnyText)
    layout_seed: str = Field(sa_type=AnyText)
    state: str = Field(sa_type=AnyText)
    reference: str | None = Field(default=None, sa_type=AnyText)
    created_at: datetime = Field(sa_type=UtcTime)


class PlateRow(Row, table=True):
    """One plate of a dispatch; `position` counts from 0."""

    __tablename__ = "plates"
    __table_args__ = (
        ForeignKeyConstraint(["batch"], ["dispatches.batch"]),
        UniqueConstraint("batch", "position"),
        CheckConstraint("format IN (96, 384, 1536)", name="format"),
    )

    batch: str = Field(primary_key=True, sa_type=AnyText)
    id: str = Field(primary_key=True, sa_type=AnyText)
    position: int = Field(sa_type=BigInteger)
    barcode: str = Field(sa_type=AnyText)
    format: int = Field(sa_type=BigInteger)


class WellRow(Row, table=True):
    """One well of a plate; `position` counts from 0, `perturbation` is a canonical key."""

    __tablename__ = "wells"
    __table_args__ = (
        ForeignKeyConstraint(["batch", "plate"], ["plates.batch", "plates.id"]),
        UniqueConstraint("batch", "plate", "position"),
        CheckConstraint("replicate >= 1", name="replicate"),
    )

    batch: str = Field(primary_key=True, sa_type=AnyText)
    plate: str = Field(primary_key=True, sa_type=AnyText)
    name: str = Field(primary_key=True, sa_type=AnyText)
    position: int = Field(sa_type=BigInteger)
    role: str = Field(sa_type=AnyText)
    perturbation: str | None = Field(default=None, sa_type=AnyText)
    replicate: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": "1"})


class ResultsFileRow(Row, table=True):
    """One file that was ingested."""

    __tablename__ = "results_files"
    __table_args__ = (
        ForeignKeyConstraint(["campaign"], ["campaigns.name"]),
        UniqueConstraint("campaign", "sha256"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=SERIAL)
    campaign: str = Field(sa_type=AnyText)
    sha256: str = Field(sa_type=AnyText)
    name: str = Field(sa_type=AnyText)
    accepted: int = Field(sa_type=BigInteger)
    unchanged: int = Field(sa_type=BigInteger)
    superseded: int = Field(sa_type=BigInteger)
    rejected: int = Field(sa_type=BigInteger)
    ingested_at: datetime = Field(sa_type=UtcTime)


class MeasurementRow(Row, table=True):
    """One number from one well; never changed, never deleted."""

    __tablename__ = "measurements"
    __table_args__ = (
        ForeignKeyConstraint(
            ["campaign", "source"], ["results_files.campaign", "results_files.sha256"]
        ),
        UniqueConstraint("campaign", "plate", "well", "readout", "revision"),
        CheckConstraint("revision >= 1", name="revision"),
        CheckConstraint("status <> 'ok' OR value IS NOT NULL", name="ok_has_a_value"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=SERIAL)
    campaign: str = Field(sa_type=AnyText)
    plate: str = Field(sa_type=AnyText)
    well: str = Field(sa_type=AnyText)
    readout: str = Field(sa_type=AnyText)
    value: float | None = Field(default=None)
    unit: str = Field(sa_type=AnyText, sa_column_kwargs={"server_default": _EMPTY})
    status: str = Field(sa_type=AnyText)
    source: str = Field(sa_type=AnyText)
    measured_at: str = Field(sa_type=AnyText, sa_column_kwargs={"server_default": _EMPTY})
    flag: str = Field(sa_type=AnyText, sa_column_kwargs={"server_default": _EMPTY})
    revision: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": "1"})


class RejectedRowRow(Row, table=True):
    """One row of a results file that was set aside."""

    __tablename__ = "rejected_rows"
    __table_args__ = (
        ForeignKeyConstraint(
            ["campaign", "source"], ["results_files.campaign", "results_files.sha256"]
        ),
        Index(None, "campaign"),
    )

    id: int | None = Field(default=None, primary_key=True, sa_type=SERIAL)
    campaign: str = Field(sa_type=AnyText)
    source: str = Field(sa_type=AnyText)
    line: int = Field(sa_type=BigInteger)
    text: str = Field(sa_type=AnyText)
    reason: str = Field(sa_type=AnyText)


class SnapshotRow(Row, table=True):
    """One trained surrogate; its tensors lie in a file of the same id."""

    __tablename__ = "snapshots"
    __table_args__ = (
        ForeignKeyConstraint(["campaign"], ["campaigns.name"]),
        UniqueConstraint("campaign", "number"),
    )

    campaign: str = Field(primary_key=True, sa_type=AnyText)
    id: str = Field(primary_key=True, sa_type=AnyText)
    number: int = Field(sa_type=BigInteger)
    surrogate: str = Field(sa_type=AnyText)
    parent: str | None = Field(default=None, sa_type=AnyText)
    data_hash: str = Field(sa_type=AnyText)
    observations: int = Field(sa_type=BigInteger)
    seed: str = Field(sa_type=AnyText)
    code_version: str = Field(sa_type=AnyText)
    scores: dict[str, Any] = Field(sa_type=JSON)
    verdict: str = Field(sa_type=AnyText)
    state: str = Field(sa_type=AnyText)
    stale: bool = Field(sa_column_kwargs={"server_default": false()})
    created_at: datetime = Field(sa_type=UtcTime)


class LogRow(Row, table=True):
    """Who did what; without a foreign key, so that no entry is ever refused."""

    __tablename__ = "log_entries"
    __table_args__ = (Index(None, "campaign"),)

    id: int | None = Field(default=None, primary_key=True, sa_type=SERIAL)
    campaign: str = Field(sa_type=AnyText)
    at: datetime = Field(sa_type=UtcTime)
    who: str = Field(sa_type=AnyText)
    verb: str = Field(sa_type=AnyText)
    what: str = Field(sa_type=AnyText)
    origin: str = Field(sa_type=AnyText)
    detail: str = Field(sa_type=AnyText, sa_column_kwargs={"server_default": _EMPTY})
