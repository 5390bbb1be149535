"""Whether everything that should be there is there and whole."""

from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from sqlmodel import col

from loop.domain.errors import LoopError, UnreadableFileError
from loop.store.connection import connect, reading
from loop.store.files import InputFiles, SnapshotFiles
from loop.store.home import INPUTS, SNAPSHOTS
from loop.store.refusals import refusals, shown
from loop.store.schema import HEAD, require_present, version_of
from loop.store.tables import CampaignRow, SnapshotRow


def check(home: Path, url: str) -> list[str]:
    """Everything that is wrong with a home and its database, in sentences; nothing is changed.

    The database's own integrity and references, every snapshot's file and hash, every
    campaign's inputs. Cost: all of it is read once.
    """
    try:
        engine = connect(url)
    except UnreadableFileError as error:
        return [str(error)]
    try:
        with refusals(engine.url):
            require_present(engine.url)
            return [*_database_findings(engine), *_file_findings(engine, home)]
    except LoopError as error:
        return [str(error)]
    finally:
        engine.dispose()


def _database_findings(engine: Engine) -> Iterator[str]:
    where = shown(engine.url)
    with reading(engine).connect() as connection:
        if engine.dialect.name == "sqlite":
            for (said,) in connection.exec_driver_sql("PRAGMA integrity_check"):
                if said != "ok":
                    yield f"Database {where} is damaged: {said}."
            for table, row, other, _ in connection.exec_driver_sql("PRAGMA foreign_key_check"):
                yield f"Row {row} of table {table!r} refers to a row of {other!r} that is gone."
        found = version_of(connection)
        if found != HEAD:
            version = found or "none"
            yield f"Database {where} is at version {version}, and this Pertloop's is {HEAD}."


def _file_findings(engine: Engine, home: Path) -> Iterator[str]:
    snapshots, inputs = SnapshotFiles(home / SNAPSHOTS), InputFiles(home / INPUTS)
    with Session(reading(engine)) as session:
        if version_of(session.connection()) != HEAD:
            return
        for campaign, snapshot_id in session.execute(
            select(col(SnapshotRow.campaign), col(SnapshotRow.id)).order_by(
                col(SnapshotRow.campaign), col(SnapshotRow.number)
            )
        ):
            try:
                snapshots.load(snapshot_id)
            except LoopError as error:
                yield f"Campaign {campaign!r}: {error}"
        for campaign, *input_ids in session.execute(
            select(
                col(CampaignRow.name),
                col(CampaignRow.library_hash),
                col(CampaignRow.embeddings_hash),
            ).order_by(col(CampaignRow.id))
        ):
            for input_id in input_ids:
                try:
                    if input_id is not None:
                        inputs.load(input_id)
                except LoopError as error:
                    yield f"Campaign {campaign!r}: {error}"
