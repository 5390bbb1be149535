"""Column types that keep what Python holds, alike on SQLite and PostgreSQL."""

import json
import math
from datetime import UTC, datetime

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator

SERIAL = BigInteger().with_variant(Integer(), "sqlite")
"""An integer that counts by itself; SQLite counts only its own INTEGER."""

OPTIONAL_JSON = JSON(none_as_null=True)
"""JSON in which Python's None is the database's NULL."""


_FLOAT = "$float"


class AnyText(TypeDecorator[str]):
    """Text of any characters, written as between the quotes of a JSON string.

    Lab files hold NUL, which PostgreSQL refuses, and bytes that were no UTF-8, which both do.
    Ordinary text is stored as it stands.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape what cannot be stored; equal texts give equal ones."""
        if value is None or (
            value.isascii() and value.isprintable() and "\\" not in value and '"' not in value
        ):
            return value
        readable = json.dumps(value, ensure_ascii=False)
        try:
            readable.encode()
        except UnicodeEncodeError:
            readable = json.dumps(value)
        return readable[1:-1]

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Undo the escapes."""
        if value is None or "\\" not in value:
            return value
        return str(json.loads(f'"{value}"'))


class UtcTime(TypeDecorator[datetime]):
    """A moment, stored as UTC and given back with its zone, which SQLite would drop."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn it to UTC; a moment without a zone would be a guess, so it is refused."""
        if value is None:
            return None
        if value.tzinfo is None:
            msg = f"{value!r} has no time zone; take the time from a Clock."
            raise ValueError(msg)
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give it the zone it was stored in."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def write_json(value: object) -> str:
    """JSON that both databases accept: an infinity, which JSON lacks, is `{"$float": "inf"}`."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), allow_nan=False)


def read_json(text: str | bytes) -> object:
    """The inverse of `write_json`."""
    return json.loads(text, object_hook=_float_again)


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: repr(float(value))}
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value


def _float_again(found: dict[str, object]) -> object:
    number = found.get(_FLOAT)
    return float(number) if len(found) == 1 and isinstance(number, str) else found
