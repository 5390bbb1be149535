"""The three storages keep one contract."""

import pytest

from loop.contracts.unit_of_work import StorageContract
from loop.store.engine import open_storage
from tests.fakes import MemoryStorage


class TestMemoryStorage(StorageContract):
    @pytest.fixture
    def storage(self):
        return MemoryStorage()


class TestSqliteStorage(StorageContract):
    @pytest.fixture
    def storage(self, sqlite_url):
        storage = open_storage(sqlite_url)
        yield storage
        storage.close()


class TestPostgresStorage(StorageContract):
    @pytest.fixture
    def storage(self, postgres_url):
        storage = open_storage(postgres_url)
        yield storage
        storage.close()
