"""Results files: read strictly, a row at a time, with a sentence for every row that is wrong.

Whether a row belongs to a plate of the campaign is not asked here.
"""

import csv
import gzip
import hashlib
import io
import math
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from loop.domain.errors import LayoutError, UnreadableFileError
from loop.domain.nearest import did_you_mean
from loop.domain.observation import WellStatus
from loop.domain.plate import PlateFormat

MAX_ROWS = 500_000
MAX_PROBLEMS = 20_000
_MAX_LINE = 64 * 1024
_MAX_BYTES = 256 * 1024 * 1024
_QUOTED = 80
_KEPT_TEXT = 1000

_PLATE_COLUMNS = ("plate_id", "plate_barcode")
_REQUIRED = ("well", "readout", "value")
_OPTIONAL = ("dispatch_key", "unit", "status", "measured_at", "flag")
_KNOWN = (*_PLATE_COLUMNS, *_REQUIRED, *_OPTIONAL)

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_SATURATED = frozenset(
    {"over", "overflow", "ovrflw", "ovflw", "overrange", "#sat", "sat", "saturated", ">max"}
)
_OTHER_KINDS = {
    b"PK\x03\x04": "an Excel workbook or zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One number for one well, not yet matched to a plate.

    `well` is padded; `plate_id` or `plate_barcode` may be empty, not both. `value` is None where
    there is no number. `line` counts from 1 and is where the row ends; `text` is the row as it
    stood in the file (its first 1000 characters).
    """

    line: int
    text: str
    dispatch_key: str
    plate_id: str
    plate_barcode: str
    well: str
    readout: str
    value: float | None
    unit: str
    status: WellStatus
    measured_at: str
    flag: str


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that cannot be used, and the sentence that says why and what to do."""

    line: int
    text: str
    sentence: str


@dataclass(frozen=True, slots=True)
class ParsedResults:
    """What a results file says. `sha256` is that of the bytes as they came, packed or not."""

    name: str
    sha256: str
    rows: tuple[ResultRow, ...]
    problems: tuple[RowProblem, ...]


def read_results(path: Path, name: str | None = None, max_rows: int = MAX_ROWS) -> ParsedResults:
    """Read a results file; `name` is what sentences call it, its file name by default.

    CSV in UTF-8 (with or without byte order mark, LF or CRLF), separated by comma, semicolon or
    tab, plain or gzip. Columns `well`, `readout`, `value`, and `plate_id` or `plate_barcode` are
    required; `dispatch_key`, `unit`, `status`, `measured_at` and `flag` are read where present;
    others are ignored. An empty value is missing, never 0; `OVER`, `#SAT` and the like are
    saturated. Two rows that say the same of one well and readout count once; two that contradict
    each other are both set aside.

    Raises:
        UnreadableFileError: If there is no such file, or it is no such table: nothing in it,
            a required column missing, binary, a line over 64 KiB, 256 MiB in all, more than
            `max_rows` rows, or more than 20,000 rows that are wrong.

    Cost: streamed; a file that is no table is refused after its first lines, whatever its size.
        About 20 us and 1 KB for each row.
    """
    shown = path.name if name is None else name
    try:
        if not path.is_file():
            what = "a folder" if path.is_dir() else "no file there"
            msg = f"{str(path)!r} cannot be read: {what}; give the path of a results CSV."
            raise UnreadableFileError(msg)
        with path.open("rb") as file:
            return _read(file, shown, max_rows)
    except OSError as error:
        msg = f"{str(path)!r} cannot be read: {error.strerror or error}."
        raise UnreadableFileError(msg) from error


def parse_results(content: bytes, name: str, max_rows: int = MAX_ROWS) -> ParsedResults:
    """Read the bytes of a results file, as `read_results` does.

    Raises:
        UnreadableFileError: If they are no such table.
    """
    return _read(io.BytesIO(content), name, max_rows)


class _Hashed(io.RawIOBase):
    """A file that computes the SHA-256 of what is read from it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        piece = self._file.read(len(view))
        view[: len(piece)] = piece
        self.digest.update(piece)
        return len(piece)


def _read(file: BinaryIO, name: str, max_rows: int) -> ParsedResults:
    hashed = _Hashed(file)
    packed = io.BufferedReader(hashed, buffer_size=_MAX_LINE)
    start = packed.peek(4)[:4]
    _refuse_other_kinds(start, name)
    stream: BinaryIO = packed
    if start.startswith(b"\x1f\x8b"):
        stream = cast("BinaryIO", gzip.GzipFile(fileobj=packed))
    try:
        table = _Table(name, max_rows)
        table.read(_Lines(stream, name))
        while packed.read(1 << 20):
            pass
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        msg = f"{name} is a damaged gzip file ({error}); copy it again."
        raise UnreadableFileError(msg) from error
    return ParsedResults(name, hashed.digest.hexdigest(), table.accepted(), table.problems())


def _refuse_other_kinds(start: bytes, name: str) -> None:
    for mark, kind in _OTHER_KINDS.items():
        if start.startswith(mark):
            msg = f"{name} is {kind}, not a results table; save it as CSV (UTF-8)."
            raise UnreadableFileError(msg)


class _Lines:
    """The lines of a file as text, checked one by one; `taken` are those since `start_row`."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._bytes = 0
        self.number = 0
        self.taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._stream.readline(_MAX_LINE + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self._bytes += len(line)
        if self._bytes > _MAX_BYTES:
            msg = (
                f"{self._name} is larger than {_MAX_BYTES >> 20} MiB unpacked; split it and ingest "
                "the parts one after the other."
            )
            raise UnreadableFileError(msg)
        if b"\0" in line:
            raise self.refusal("holds binary data")
        if len(line) > _MAX_LINE:
            raise self.refusal(f"is longer than {_MAX_LINE // 1024} KiB")
        try:
            text = line.decode("utf-8-sig" if self.number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise self.refusal("is not UTF-8 text") from error
        self.taken.append(text)
        return text

    def refusal(self, why: str) -> UnreadableFileError:
        return UnreadableFileError(
            f"{self._name} is not a results table: line {self.number} {why}; "
            "save the results as CSV (UTF-8)."
        )

    def row_text(self) -> str:
        """The text since the last call."""
        text = "".join(self.taken).rstrip("\r\n")[:_KEPT_TEXT]
        self.taken.clear()
        return text


class _Table:
    """Rows on their way from a file: accepted by what they are about, or set aside."""

    def __init__(self, name: str, max_rows: int) -> None:
        self._name = name
        self._max_rows = max_rows
        self._accepted: dict[tuple[str, str, str], ResultRow] = {}
        self._refuted: dict[tuple[str, str, str], ResultRow] = {}
        self._problems: list[RowProblem] = []

    def accepted(self) -> tuple[ResultRow, ...]:
        """The good rows, in the order of the file."""
        return tuple(self._accepted.values())

    def problems(self) -> tuple[RowProblem, ...]:
        """The bad rows, in the order of the file."""
        return tuple(sorted(self._problems, key=lambda problem: problem.line))

    def read(self, lines: _Lines) -> None:
        header = next(lines, None)
        if header is None or not header.strip():
            msg = f"{self._name} is empty; a results table begins with the names of its columns."
            raise UnreadableFileError(msg)
        lines.row_text()
        count = 0
        try:
            delimiter, columns = _columns(header, self._name)
            for cells in csv.reader(lines, delimiter=delimiter, strict=True):
                text = lines.row_text()
                if not any(cell.strip() for cell in cells):
                    continue
                count += 1
                if count > self._max_rows:
                    msg = (
                        f"{self._name} has more than {self._max_rows:,} rows; split it and ingest "
                        "the parts one after the other."
                    )
                    raise UnreadableFileError(msg)
                self._take(cells, columns, lines.number, text)
        except csv.Error as error:
            raise lines.refusal(f"has quotes or line breaks out of place ({error})") from error
        if not count:
            msg = f"{self._name} has a header and no rows; there is nothing to ingest."
            raise UnreadableFileError(msg)

    def _take(self, cells: list[str], columns: Sequence[str], line: int, text: str) -> None:
        row = _row(cells, columns, line, text)
        if isinstance(row, str):
            self._set_aside(line, text, row)
            return
        about = (row.plate_id or row.plate_barcode, row.well, row.readout)
        first = self._accepted.get(about) or self._refuted.get(about)
        if first is None:
            self._accepted[about] = row
        elif about in self._refuted or _says(row) != _says(first):
            sentence = (
                f"well {row.well} of plate {about[0]!r} has two values of {row.readout!r}: "
                f"{_shown(first)} on line {first.line} and {_shown(row)} on line {row.line}; "
                "remove the wrong one."
            )
            if self._accepted.pop(about, None):
                self._refuted[about] = first
                self._set_aside(first.line, first.text, sentence)
            self._set_aside(line, text, sentence)

    def _set_aside(self, line: int, text: str, sentence: str) -> None:
        self._problems.append(RowProblem(line, text, sentence))
        if len(self._problems) > MAX_PROBLEMS:
            first = self._problems[0]
            msg = (
                f"{self._name} has more than {MAX_PROBLEMS:,} rows that cannot be read; the first "
                f"is line {first.line}: {first.sentence}"
            )
            raise UnreadableFileError(msg)


def _says(row: ResultRow) -> tuple[float | None, str, WellStatus]:
    return row.value, row.unit, row.status


def _shown(row: ResultRow) -> str:
    number = row.status.value if row.value is None else f"{row.value:g}"
    return f"{number} {row.unit}".rstrip()


def _columns(header: str, name: str) -> tuple[str, list[str]]:
    """The delimiter under which a header says most, and the names it then gives."""
    readings = {
        delimiter: [
            cell.strip().lower() for cell in next(csv.reader([header], delimiter=delimiter))
        ]
        for delimiter in (",", ";", "\t")
    }
    delimiter = max(readings, key=lambda each: len(set(readings[each]) & set(_KNOWN)))
    columns = readings[delimiter]
    for column in _KNOWN:
        if columns.count(column) > 1:
            msg = f"{name} has two columns {column!r}; remove one."
            raise UnreadableFileError(msg)
    for column in _REQUIRED:
        if column not in columns:
            raise _lacking(f"no column {column!r}", [column], columns, name)
    if not set(_PLATE_COLUMNS) & set(columns):
        raise _lacking("neither 'plate_id' nor 'plate_barcode'", _PLATE_COLUMNS, columns, name)
    return delimiter, columns


def _lacking(
    what: str, wanted: Sequence[str], columns: Sequence[str], name: str
) -> UnreadableFileError:
    """The refusal that names the column which probably was meant, and else those there are."""
    spare = [column for column in columns if column and column not in _KNOWN]
    hints = [
        f"{hint} Rename it to {each!r}." for each in wanted if (hint := did_you_mean(each, spare))
    ]
    there = ", ".join(repr(column[:_QUOTED]) for column in columns[:12])
    hint = hints[0] if hints else " Name the columns in the first line."
    return UnreadableFileError(f"{name} has {what}; it has {there}.{hint}")


def _row(cells: list[str], columns: Sequence[str], line: int, text: str) -> ResultRow | str:
    """A row, or the sentence that refuses it."""
    while len(cells) > len(columns) and not cells[-1].strip():
        cells.pop()
    if len(cells) != len(columns):
        return (
            f"the row has {len(cells)} cells, the header names {len(columns)} columns; "
            "put text that holds the separator in quotes."
        )
    row = {column: cell.strip() for column, cell in zip(columns, cells, strict=True)}
    try:
        value, status = _value_and_status(row["value"], row.get("status", "").lower())
        return ResultRow(
            line=line,
            text=text,
            dispatch_key=row.get("dispatch_key", ""),
            plate_id=row.get("plate_id", ""),
            plate_barcode=row.get("plate_barcode", ""),
            well=_well(row),
            readout=_filled(row, "readout"),
            value=value,
            unit=row.get("unit", ""),
            status=status,
            measured_at=row.get("measured_at", ""),
            flag=row.get("flag", ""),
        )
    except _RowError as error:
        return str(error)


class _RowError(Exception):
    """Why a row cannot be used; never leaves this module."""


def _filled(row: Mapping[str, str], column: str) -> str:
    if not row[column]:
        msg = f"{column} is empty; every row needs one."
        raise _RowError(msg)
    return row[column]


def _well(row: Mapping[str, str]) -> str:
    """The padded name of the well; on which plate it must lie, only the plate can say."""
    if not any(row.get(column) for column in _PLATE_COLUMNS):
        msg = "plate_id and plate_barcode are both empty; a row needs one of them."
        raise _RowError(msg)
    largest = PlateFormat.P1536
    try:
        return largest.well(*largest.position(_filled(row, "well")))
    except LayoutError as error:
        msg = f"well {row['well'][:_QUOTED]!r} is no well of any plate; write it as 'B7' or 'B07'."
        raise _RowError(msg) from error


def _value_and_status(value: str, status: str) -> tuple[float | None, WellStatus]:
    saturated = value.lower() in _SATURATED
    number = None if saturated or not value else _number(value)
    if not status or status == WellStatus.OK:
        if saturated:
            return None, WellStatus.SATURATED
        return number, WellStatus.MISSING if number is None else WellStatus.OK
    if status not in set(WellStatus):
        known = ", ".join(WellStatus)
        msg = (
            f"status {status[:_QUOTED]!r} is unknown; use one of {known}."
            f"{did_you_mean(status, [each.value for each in WellStatus])}"
        )
        raise _RowError(msg)
    if status == WellStatus.MISSING and number is not None:
        msg = f"status is 'missing', but there is a value, {value}; clear one of them."
        raise _RowError(msg)
    return number, WellStatus(status)


def _number(text: str) -> float:
    if _NUMBER.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    quoted = repr(text[:_QUOTED])
    if _DECIMAL_COMMA.fullmatch(text):
        msg = f"value {quoted} has a decimal comma; write {text.replace(',', '.')}."
    else:
        msg = f"value {quoted} is not a finite number; leave the cell empty if there is none."
    raise _RowError(msg)
