"""URs from Parquet: a text column of ids, then columns of numbers, or of lists of numbers."""

import io
from typing import Any

import numpy as np

from loop.domain.errors import UnreadableFileError
from loop.ports.arrays import FloatArray
from loop.representation.npz import ID_NAMES, texts
from loop.representation.optional import optional
from loop.representation.view import LARGEST, Matrices

_INDEX = "__index_level_0__"


def read_parquet(content: bytes, name: str, view: str) -> Matrices:
    """Read a Parquet file: number columns are one view, every column of lists is one of its own.

    The ids are the text column called id, symbol or name, else the pandas index, else the first
    text column; further text columns are left aside.

    Raises:
        UnreadableFileError: If it is damaged, too large, or has no ids or no numbers.
        UnavailableError: If pyarrow is not installed.
    """
    arrow = optional("pyarrow", "tables", "Reading Parquet")
    parquet = optional("pyarrow.parquet", "tables", "Reading Parquet")
    try:
        table = _table(parquet, content, name)
        ids = texts(table.column(_id_column(arrow, table, name)).to_pylist(), name)
        return Matrices(ids, _views(arrow, table, view, name))
    except (arrow.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        msg = f"{name} is not a whole Parquet file ({first}); write it again."
        raise UnreadableFileError(msg) from error


def _table(parquet: Any, content: bytes, name: str) -> Any:
    file = parquet.ParquetFile(io.BytesIO(content))
    about = file.metadata
    unpacked = sum(about.row_group(at).total_byte_size for at in range(about.num_row_groups))
    if max(unpacked // 8, about.num_rows * about.num_columns) > LARGEST:
        msg = f"{name} unpacks to more than {LARGEST >> 17} MiB; keep the columns of use."
        raise UnreadableFileError(msg)
    return file.read()


def _id_column(arrow: Any, table: Any, name: str) -> str:
    kinds = arrow.types
    text: list[str] = [
        field.name
        for field in table.schema
        if kinds.is_string(field.type)
        or kinds.is_large_string(field.type)
        or (kinds.is_dictionary(field.type) and kinds.is_string(field.type.value_type))
    ]
    for wanted in (*ID_NAMES, _INDEX, *text[:1]):
        if wanted in text:
            if table.column(wanted).null_count:
                msg = f"{name} has rows without an id in column {wanted!r}; give each row one."
                raise UnreadableFileError(msg)
            return wanted
    msg = f"{name} holds no column of text; add one called 'id'."
    raise UnreadableFileError(msg)


def _views(arrow: Any, table: Any, view: str, name: str) -> dict[str, FloatArray]:
    kinds = arrow.types
    plain, lists = [], {}
    for field in table.schema:
        column = table.column(field.name)
        if kinds.is_integer(field.type) or kinds.is_floating(field.type):
            numbers = column.cast(arrow.float64()).to_numpy(zero_copy_only=False)
            plain.append(np.asarray(numbers, dtype=np.float64))
        elif kinds.is_nested(field.type) and hasattr(field.type, "value_type"):
            lists[field.name] = _matrix(column.to_pylist(), field.name, name)
    joined = {view: np.stack(plain, axis=1)} if plain else {}
    if not joined and not lists:
        msg = f"{name} holds no column of numbers beside its ids."
        raise UnreadableFileError(msg)
    return {**joined, **lists}


def _matrix(rows: list[list[Any] | None], column: str, name: str) -> FloatArray:
    """Lists as a matrix; a row without a list is blank."""
    widths = {len(row) for row in rows if row is not None}
    if len(widths) != 1 or widths == {0}:
        msg = f"{name}, column {column!r}, holds lists of {len(widths)} lengths; expected one."
        raise UnreadableFileError(msg)
    blank = [None] * widths.pop()
    try:
        return np.array([blank if row is None else row for row in rows], dtype=np.float64)
    except (TypeError, ValueError) as error:
        msg = f"{name}, column {column!r}, holds lists of something other than numbers."
        raise UnreadableFileError(msg) from error
