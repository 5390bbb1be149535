"""Every row of a database as lines of JSON, the same from SQLite and from PostgreSQL.

Tables are read as the database describes them, not as the code does, so that rows of an older
version can be put into a database of that version, which is then migrated.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, BinaryIO

from sqlalchemy import JSON, Column, Connection, DateTime, MetaData, Table, func, insert, select

from loop.store.schema import VERSION_TABLE

_AT_ONCE = 1_000


def tables(connection: Connection) -> MetaData:
    """The tables of a database, as it describes them; the version's is left out."""
    metadata = MetaData()
    metadata.reflect(connection)
    if VERSION_TABLE in metadata.tables:
        metadata.remove(metadata.tables[VERSION_TABLE])
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, JSON):
                column.type = JSON(none_as_null=True)
    return metadata


def is_empty(connection: Connection) -> bool:
    """Whether no table holds a row."""
    return not any(
        connection.execute(select(1).select_from(table).limit(1)).first()
        for table in tables(connection).sorted_tables
    )


def write_rows(connection: Connection, file: BinaryIO) -> int:
    """Write every row as a line, `["table", {"column": value}]`; return how many there were.

    All rows are of one moment if the transaction is. Memory does not grow with the rows.
    """
    written = 0
    for table in tables(connection).sorted_tables:
        rows = connection.execution_options(yield_per=_AT_ONCE).execute(
            select(table).order_by(*table.primary_key.columns)
        )
        for row in rows.mappings():
            plain = {name: _plain(value) for name, value in row.items()}
            file.write(json.dumps([table.name, plain]).encode() + b"\n")
            written += 1
    return written


def read_rows(connection: Connection, file: BinaryIO) -> None:
    """Put the rows that `write_rows` wrote into empty tables of the same version."""
    known = tables(connection).tables
    lines = (json.loads(line) for line in file)
    for name, named in groupby(lines, key=lambda line: str(line[0])):
        table = known[name]
        moments = [column.name for column in table.columns if isinstance(column.type, DateTime)]
        for rows in _portions(fields for _, fields in named):
            for row in rows:
                for column in moments:
                    row[column] = _moment(row[column], connection)
            connection.execute(insert(table), rows)
        if connection.dialect.name == "postgresql":
            _count_on(connection, table)


def _portions(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    portion: list[dict[str, Any]] = []
    for row in rows:
        portion.append(row)
        if len(portion) == _AT_ONCE:
            yield portion
            portion = []
    if portion:
        yield portion


def _plain(value: object) -> object:
    """A value that JSON holds; moments as UTC without a zone, as SQLite keeps them."""
    if not isinstance(value, datetime):
        return value
    return (value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value).isoformat()


def _moment(text: str | None, connection: Connection) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if connection.dialect.name == "postgresql" else moment


def _count_on(connection: Connection, table: Table) -> None:
    """Let a column that counts by itself go on after the rows that were put in."""
    for column in table.primary_key.columns:
        if _counts(column):
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            connection.execute(
                select(func.setval(sequence, select(func.max(column)).scalar_subquery()))
            )


def _counts(column: Column[Any]) -> bool:
    return column.server_default is not None and "nextval" in str(
        getattr(column.server_default, "arg", "")
    )
