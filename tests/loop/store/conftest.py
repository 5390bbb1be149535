"""Databases to store in: a file of SQLite, a database of a real PostgreSQL."""

from collections.abc import Iterator

import pytest

from tests.postgres_server import postgres_server, postgres_url

__all__ = ["postgres_server", "postgres_url"]


@pytest.fixture
def sqlite_url(tmp_path) -> str:
    return f"sqlite:///{tmp_path}/pertloop.db"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request) -> Iterator[str]:
    """Each kind of database in turn, empty."""
    return request.getfixturevalue(f"{request.param}_url")
