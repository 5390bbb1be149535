"""Tables of text as people keep them: CSV, TSV or semicolons, perhaps gzipped."""

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from loop.domain.errors import UnreadableFileError
from loop.domain.nearest import did_you_mean

MAX_BYTES = 256 << 20
"""The most that a table may hold, unpacked."""

MAX_ARCHIVE_BYTES = 1 << 30
"""The most that a binary file of arrays (.npz, .parquet, .h5ad) may hold."""

_ZIP = b"PK\x03\x04"
_ARCHIVES = (_ZIP, b"PAR1", b"\x89HDF")
_HEAD = 1 << 16
_MAX_LINE = 1 << 20


@dataclass(frozen=True, slots=True)
class Table:
    """A header and rows of equal width; every cell is text, stripped of outer blanks."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def has(self, column: str) -> bool:
        """Whether there is such a column."""
        return column in self.columns

    def column(self, name: str) -> list[str]:
        """The cells of one column.

        Raises:
            UnreadableFileError: If there is no such column; the sentence names the nearest.
        """
        if name not in self.columns:
            known = ", ".join(self.columns[:12])
            hint = did_you_mean(name, self.columns)
            msg = f"{self.name} has no column {name!r}.{hint} Its columns are: {known}."
            raise UnreadableFileError(msg)
        at = self.columns.index(name)
        return [row[at] for row in self.rows]

    def numbers(self, name: str) -> list[float | None]:
        """The cells of one column as numbers, None where blank.

        Raises:
            UnreadableFileError: If a cell is neither blank nor a finite number.
        """
        return [self._number(name, line, cell) for line, cell in enumerate(self.column(name), 2)]

    def _number(self, column: str, line: int, cell: str) -> float | None:
        if not cell:
            return None
        try:
            value = float(cell)
        except ValueError:
            value = float("nan")
        if value - value != 0:
            msg = (
                f"{self.name}, line {line}: {cell!r} in column {column!r} is not a number; "
                "leave the cell blank where there is none."
            )
            raise UnreadableFileError(msg)
        return value


def read_bytes(path: Path) -> bytes:
    """Read a file whole, gunzipped if it is gzip.

    Raises:
        UnreadableFileError: If it is missing, not a file, empty, damaged, or over 256 MiB
            unpacked (a file of arrays: over 1 GiB). What is too large is not read.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(_ZIP))
            limit = MAX_ARCHIVE_BYTES if start in _ARCHIVES else MAX_BYTES
            if path.stat().st_size > limit:
                raise _too_large(f"{path} has", limit)
            if start == _ZIP and not zipfile.is_zipfile(path):
                msg = f"{path} begins like a zip archive but is not a whole .npz; copy it again."
                raise UnreadableFileError(msg)
            file.seek(0)
            content = file.read(limit + 1)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        msg = f"{path} could not be read: {reason}; check the path."
        raise UnreadableFileError(msg) from error
    if content[:2] == b"\x1f\x8b":
        try:
            with gzip.open(io.BytesIO(content)) as packed:
                content = packed.read(MAX_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            msg = f"{path} is not a whole gzip file; copy it again."
            raise UnreadableFileError(msg) from error
    if len(content) > limit:
        raise _too_large(f"{path} unpacks to", limit)
    if not content.strip():
        msg = f"{path} is empty; a table has a header line and at least one row."
        raise UnreadableFileError(msg)
    return content


def _too_large(what: str, limit: int) -> UnreadableFileError:
    return UnreadableFileError(
        f"{what} more than {limit >> 20} MiB; that is no table Pertloop can use."
    )


def parse_table(content: bytes, name: str) -> Table:
    """Read a table from bytes; the delimiter is what the header line uses most.

    Raises:
        UnreadableFileError: If it is not text, has no rows, repeats a column or has ragged rows.
    """
    end = content.find(b"\n")
    header = content if end < 0 else content[:end]
    if b"\x00" in content[:_HEAD] or len(header) > _MAX_LINE:
        msg = f"{name} is not a text table; expected comma-, semicolon- or tab-separated UTF-8."
        raise UnreadableFileError(msg)
    delimiter = max(",;\t", key=header.decode("utf-8", errors="replace").count)
    text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    rows = csv.reader(text, delimiter=delimiter, strict=True)
    try:
        return _checked(name, (tuple(cell.strip() for cell in row) for row in rows if row))
    except UnicodeDecodeError as error:
        msg = f"{name} is not UTF-8 text; save it as UTF-8 CSV."
        raise UnreadableFileError(msg) from error
    except csv.Error as error:
        msg = f"{name} is not a well-formed table: {error}; check its quotes."
        raise UnreadableFileError(msg) from error


def _checked(name: str, lines: Iterable[tuple[str, ...]]) -> Table:
    """The table of some lines; the first that is wrong ends the reading."""
    rows = iter(lines)
    columns = next(rows, None)
    if columns is None:
        msg = f"{name} is empty; a table has a header line and at least one row."
        raise UnreadableFileError(msg)
    if len(set(columns)) < len(columns):
        twice = next(each for each in columns if columns.count(each) > 1)
        msg = f"{name} has two columns called {twice!r}; rename one."
        raise UnreadableFileError(msg)
    kept = []
    for number, row in enumerate(rows, 2):
        if len(row) != len(columns):
            msg = (
                f"{name}, row {number}, has {len(row)} cells but the header has {len(columns)}; "
                "check for stray separators."
            )
            raise UnreadableFileError(msg)
        kept.append(row)
    if not kept:
        msg = f"{name} has a header line but no rows; there is nothing to use."
        raise UnreadableFileError(msg)
    return Table(name, columns, tuple(kept))


def read_table(path: Path) -> Table:
    """Read a table from a file."""
    return parse_table(read_bytes(path), str(path))
