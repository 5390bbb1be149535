"""What a database cannot do is one sentence, and changes nothing."""

import sqlite3
from dataclasses import replace

import pytest
from sqlalchemy import event

from loop.contracts.nouns import a_campaign, a_file, a_measurement
from loop.contracts.unit_of_work import committed
from loop.domain.errors import StorageFullError, UnavailableError, UnreadableFileError
from loop.store.connection import connect
from loop.store.engine import open_storage
from loop.store.schema import upgrade
from loop.store.unit_of_work import SqlStorage


def test_when_the_disk_is_full_nothing_is_written(sqlite_url):
    before = open_storage(sqlite_url)
    with before.writing() as work:
        work.campaigns.add(a_campaign())
        work.commit()
    before.close()
    engine = connect(sqlite_url)
    # SQLite's own limit raises what a full disk raises.
    event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA max_page_count = 60"))
    storage = SqlStorage(engine)
    many = [a_measurement(f"A{number:05d}") for number in range(5_000)]

    with pytest.raises(StorageFullError, match="nothing was written: make room"):
        committed(storage, lambda work: work.results.record("k562", a_file(), many, []))

    with storage.reading() as work:
        assert work.results.files("k562") == []
        assert work.results.current("k562") == []
        assert work.campaigns.all() == [a_campaign()]
    storage.close()


def test_a_writer_that_waits_too_long_is_told_so(sqlite_url):
    one, two = open_storage(sqlite_url), open_storage(sqlite_url, patience_s=0.05)

    with (
        one.writing(),
        pytest.raises(UnavailableError, match="locked by another program"),
        two.writing(),
    ):
        pass

    with two.writing() as work:
        work.commit()
    one.close()
    two.close()


def test_a_postgres_writer_that_waits_too_long_is_told_so(postgres_url):
    one, two = open_storage(postgres_url), open_storage(postgres_url, patience_s=0.05)

    with (
        one.writing(),
        pytest.raises(UnavailableError, match="locked by another program"),
        two.writing(),
    ):
        pass
    one.close()
    two.close()


@pytest.mark.parametrize("content", [b"id,kind\nA,gene\n" * 100, b"\x00" * 5000, b"x"])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path, content):
    path = tmp_path / "genes.csv"
    path.write_bytes(content)

    for refused in (open_storage, upgrade):
        with pytest.raises(UnreadableFileError, match=r"genes\.csv' is not a database"):
            refused(f"sqlite:///{path}")
    assert path.read_bytes() == content


def test_a_folder_is_no_database(tmp_path):
    with pytest.raises(UnavailableError, match="cannot be opened"):
        open_storage(f"sqlite:///{tmp_path}")


def test_a_damaged_database_is_said_to_be_damaged(tmp_path):
    path = tmp_path / "pertloop.db"
    open_storage(f"sqlite:///{path}").close()
    content = bytearray(path.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    path.write_bytes(content)

    with pytest.raises(UnreadableFileError, match="is damaged"):
        open_storage(f"sqlite:///{path}")


def test_a_database_keeps_its_rules_when_written_around_our_code(tmp_path):
    """The constraints stand in the database, not only in the code."""
    storage = open_storage(f"sqlite:///{tmp_path}/pertloop.db")
    with storage.writing() as work:
        work.campaigns.add(a_campaign())
        work.results.record("k562", a_file(), [a_measurement()], [])
        work.commit()
    storage.close()
    raw = sqlite3.connect(tmp_path / "pertloop.db")

    for sentence in (
        "UPDATE campaigns SET version = 0",
        "UPDATE measurements SET revision = 0",
        "UPDATE measurements SET value = NULL",
        "INSERT INTO measurements (campaign, plate, well, readout, value, status, source) "
        "SELECT campaign, plate, well, readout, value, status, source FROM measurements",
    ):
        with pytest.raises(sqlite3.IntegrityError):
            raw.execute(sentence)
    raw.close()


def test_a_database_is_durable_and_keeps_a_write_ahead_log(sqlite_url):
    storage = open_storage(sqlite_url)
    engine = connect(sqlite_url)

    with engine.connect() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 30_000,
    }
    engine.dispose()
    storage.close()


def test_seeds_of_any_size_are_kept(url):
    storage = open_storage(url)
    campaign = replace(a_campaign(), seed=10**40)

    with storage.writing() as work:
        work.campaigns.add(campaign)
        assert work.campaigns.get("k562") == campaign
    storage.close()
