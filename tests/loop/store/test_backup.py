"""Backup, restore and check: everything, whole or not at all."""

import hashlib
import io
import json
import os
import resource
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from loop.contracts.nouns import a_campaign, a_file, a_log_entry, a_measurement, a_snapshot
from loop.contracts.unit_of_work import committed
from loop.domain.errors import (
    AlreadyExistsError,
    SchemaVersionError,
    StorageFullError,
    UnavailableError,
    UnreadableFileError,
)
from loop.ports.arrays import SurrogateState
from loop.store.backup import backup, check, restore
from loop.store.engine import open_storage
from loop.store.files import InputFiles, SnapshotFiles
from loop.store.schema import HEAD
from tests.loop.store.contents import contents
from tests.store_files.make import fill


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def elsewhere(tmp_path):
    """An empty home and database to restore into."""
    return tmp_path / "elsewhere"


def sqlite_in(folder) -> str:
    return f"sqlite:///{folder}/pertloop.db"


def fill_home(home, url: str) -> None:
    """One of everything in the database, and a second campaign with real files."""
    storage = open_storage(url)
    fill(storage)
    state_id = SnapshotFiles(home / "snapshots").save(
        SurrogateState({"weights": np.arange(1000.0)}, {"members": 16})
    )
    inputs = InputFiles(home / "inputs")
    campaign = replace(
        a_campaign("real"),
        library_hash=inputs.save({"genes.csv": b"id,kind\nA,gene\n"}),
        embeddings_hash=inputs.save({"genes.npz": b"\x00\x01"}),
    )
    committed(
        storage,
        lambda work: work.campaigns.add(campaign),
        lambda work: work.snapshots.add(a_snapshot("real", snapshot_id=state_id)),
    )
    storage.close()
    (home / "lab/real-001").mkdir(parents=True)
    (home / "lab/real-001/plate map µ.csv").write_text("well,role\n")
    (home / "lab/empty.csv").write_bytes(b"")
    (home / "datasets").mkdir()
    (home / "datasets/large.csv.gz").write_bytes(b"can be fetched again")


def files_of(home) -> dict[str, bytes]:
    return {
        str(path.relative_to(home)): path.read_bytes()
        for folder in ("inputs", "snapshots", "lab")
        for path in (home / folder).rglob("*")
        if path.is_file()
    }


def stored_in(url: str) -> dict[str, object]:
    storage = open_storage(url)
    found = contents(storage)
    storage.close()
    return found


@pytest.fixture
def made(home, tmp_path):
    """A home, and its backup."""
    fill_home(home, sqlite_in(home))
    backup(home, sqlite_in(home), tmp_path / "backup.tar.gz")
    return tmp_path / "backup.tar.gz"


@pytest.mark.parametrize("name", ["backup.tar", "backup.tar.gz", "backup.tgz"])
@pytest.mark.parametrize(
    ("source", "goal"),
    [("sqlite", "sqlite"), ("sqlite", "postgres"), ("postgres", "sqlite")],
)
def test_what_was_backed_up_comes_back(request, home, elsewhere, tmp_path, source, goal, name):
    urls = {
        "postgres": lambda folder: request.getfixturevalue("postgres_url"),
        "sqlite": sqlite_in,
    }
    source_url, goal_url = urls[source](home), urls[goal](elsewhere)
    fill_home(home, source_url)

    said = backup(home, source_url, tmp_path / name)
    restored = restore(tmp_path / name, elsewhere, goal_url)

    assert "5 files" in said
    assert "5 files" in restored
    assert stored_in(goal_url) == stored_in(source_url)
    assert files_of(elsewhere) == files_of(home)
    assert not (elsewhere / "datasets").exists()


def test_a_restored_database_goes_on_counting(made, elsewhere, url):
    restore(made, elsewhere, url)
    storage = open_storage(url)

    committed(
        storage,
        lambda work: work.log.append("k562", a_log_entry("after")),
        lambda work: work.campaigns.add(a_campaign("after", minutes=9)),
        lambda work: work.results.record(
            "k562",
            a_file("after.csv", "2" * 64),
            [a_measurement("D04", source="2" * 64)],
            [],
        ),
    )

    with storage.reading() as work:
        assert [entry.what for entry in work.log.of("k562")] == ["k562-001", "after"]
        assert [each.well for each in work.results.current("k562")] == ["B02", "C03", "D04"]
    storage.close()


def test_a_backup_may_be_made_while_somebody_writes(home, elsewhere, tmp_path):
    fill_home(home, sqlite_in(home))
    before = stored_in(sqlite_in(home))
    storage = open_storage(sqlite_in(home))

    with storage.writing() as work:
        work.log.append("k562", a_log_entry("not yet"))
        backup(home, sqlite_in(home), tmp_path / "backup.tar")
        work.commit()
    storage.close()
    restore(tmp_path / "backup.tar", elsewhere, sqlite_in(elsewhere))

    assert stored_in(sqlite_in(elsewhere)) == before


def test_a_backup_never_overwrites(made, home):
    before = made.read_bytes()

    with pytest.raises(AlreadyExistsError, match="there already"):
        backup(home, sqlite_in(home), made)
    assert made.read_bytes() == before


def test_without_a_database_there_is_nothing_to_back_up(tmp_path):
    with pytest.raises(UnavailableError, match="There is no database"):
        backup(tmp_path, sqlite_in(tmp_path), tmp_path / "backup.tar")
    assert list(tmp_path.iterdir()) == []


def test_when_the_disk_is_full_no_half_backup_is_left(home, tmp_path):
    fill_home(home, sqlite_in(home))
    (home / "lab/large.bin").write_bytes(os.urandom(200_000))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(StorageFullError):
            backup(home, sqlite_in(home), tmp_path / "backups/backup.tar")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list((tmp_path / "backups").iterdir()) == []


def test_a_home_that_is_not_empty_is_not_touched(made, elsewhere):
    (elsewhere / "lab").mkdir(parents=True)
    (elsewhere / "lab/mine.csv").write_text("mine")

    with pytest.raises(AlreadyExistsError, match=r"not empty \(it holds 'lab/mine.csv'\)"):
        restore(made, elsewhere, sqlite_in(elsewhere))
    assert files_of(elsewhere) == {"lab/mine.csv": b"mine"}
    assert not (elsewhere / "pertloop.db").exists()


def test_a_database_that_is_not_empty_is_not_touched(made, elsewhere, url):
    storage = open_storage(url)
    committed(storage, lambda work: work.campaigns.add(a_campaign("mine")))
    storage.close()

    with pytest.raises(AlreadyExistsError, match="is not empty"):
        restore(made, elsewhere, url)
    assert files_of(elsewhere) == {}
    assert [each.name for each in stored_in(url)["campaigns"]] == ["mine"]


def test_a_database_that_holds_only_empty_tables_is_filled(made, home, elsewhere, url):
    open_storage(url).close()

    restore(made, elsewhere, url)

    assert stored_in(url) == stored_in(sqlite_in(home))


def test_a_restore_that_was_killed_half_way_is_finished_by_the_next(made, home, elsewhere):
    """Files are written one by one, the database last: some files and no rows is what is left."""
    restore(made, elsewhere, sqlite_in(elsewhere))
    whole = files_of(elsewhere)
    for name in sorted(whole)[::2]:
        (elsewhere / name).unlink()
    for end in ("", "-wal", "-shm"):
        (elsewhere / f"pertloop.db{end}").unlink(missing_ok=True)

    restore(made, elsewhere, sqlite_in(elsewhere))

    assert files_of(elsewhere) == whole
    assert stored_in(sqlite_in(elsewhere)) == stored_in(sqlite_in(home))


def test_when_the_disk_is_full_nothing_is_left_of_a_restore(made, elsewhere):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The snapshot is larger than this, and so is the database.
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises((StorageFullError, UnavailableError)):
            restore(made, elsewhere, sqlite_in(elsewhere))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files_of(elsewhere) == {}
    assert not (elsewhere / "pertloop.db").exists()


def rewritten(source, change) -> None:
    """Write a backup again, with members changed: `change` gets name and bytes, gives bytes."""
    with tarfile.open(source) as archive:
        members = [(each.name, archive.extractfile(each).read()) for each in archive]
    with tarfile.open(source, "w:gz") as archive:
        for name, content in [*members, ("labs/added", b"")]:
            changed = change(name, content)
            if changed is not None:
                about = tarfile.TarInfo(name)
                about.size = len(changed)
                archive.addfile(about, io.BytesIO(changed))


def without_addition(name, content):
    return None if name == "labs/added" else content


def changed_row(name, content):
    row = content.replace(b"k562", b"k563") if name == "database.jsonl" else content
    return without_addition(name, row)


def missing_file(name, content):
    return None if name.startswith("inputs") else without_addition(name, content)


def no_manifest(name, content):
    return None if name == "manifest.json" else without_addition(name, content)


def odd_manifest(name, content):
    return b"[1, 2]" if name == "manifest.json" else without_addition(name, content)


def escaping(name, content):
    if name == "manifest.json":
        about = json.loads(content)
        about["files"] = {
            key.replace("lab/empty.csv", "../x"): value for key, value in about["files"].items()
        }
        return json.dumps(about).encode()
    return without_addition(name, content)


@pytest.mark.parametrize(
    "change",
    [changed_row, missing_file, no_manifest, odd_manifest, escaping, lambda name, content: content],
)
def test_a_backup_that_was_changed_is_refused_before_anything_is_written(made, elsewhere, change):
    rewritten(made, change)

    with pytest.raises(UnreadableFileError, match="no whole backup"):
        restore(made, elsewhere, sqlite_in(elsewhere))
    assert not elsewhere.exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9])
def test_a_backup_that_was_cut_short_is_refused(made, elsewhere, share):
    content = made.read_bytes()
    made.write_bytes(content[: int(len(content) * share)])

    with pytest.raises(UnreadableFileError, match="no whole backup"):
        restore(made, elsewhere, sqlite_in(elsewhere))
    assert not elsewhere.exists()


def test_what_is_no_backup_is_refused(tmp_path, elsewhere):
    (tmp_path / "genes.csv").write_bytes(os.urandom(5_000))

    for wrong, said in (("genes.csv", "not a tar file"), ("missing.tar", "There is no file")):
        with pytest.raises(UnreadableFileError, match=said):
            restore(tmp_path / wrong, elsewhere, sqlite_in(elsewhere))
    assert not elsewhere.exists()


def test_a_backup_of_the_first_release_is_restored_and_moved_to_this_version(made, elsewhere, home):
    sums = {}

    def first(name, content):
        if name == "database.jsonl":
            rows = [json.loads(line) for line in content.splitlines()]
            for table, columns in rows:
                if table == "batches":
                    assert {columns.pop("forecast"), columns.pop("notes")} == {None}
                    for choice in columns["choices"]:
                        del choice["rank"], choice["contribution"]
            content = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
            sums[name] = hashlib.sha256(content).hexdigest()
        if name == "manifest.json":
            about = json.loads(content)
            about["files"] |= sums
            content = json.dumps(about | {"schema": "0001"}).encode()
        return without_addition(name, content)

    rewritten(made, first)
    restore(made, elsewhere, sqlite_in(elsewhere))

    assert stored_in(sqlite_in(elsewhere)) == stored_in(sqlite_in(home))


def test_a_backup_of_a_newer_version_is_refused(made, elsewhere):
    def newer(name, content):
        content = content.replace(f'"schema": "{HEAD}"'.encode(), b'"schema": "9999"')
        return without_addition(name, content)

    rewritten(made, newer)

    with pytest.raises(SchemaVersionError, match="newer"):
        restore(made, elsewhere, sqlite_in(elsewhere))
    assert not elsewhere.exists()


def test_a_whole_home_has_no_findings_but_those_that_are_there(home):
    fill_home(home, sqlite_in(home))

    findings = check(home, sqlite_in(home))

    # The example campaign names inputs and a snapshot that were never stored.
    assert len(findings) == 2
    assert all("'k562'" in finding for finding in findings)


def test_missing_and_damaged_files_are_found(home):
    fill_home(home, sqlite_in(home))
    snapshot = next((home / "snapshots").iterdir())
    snapshot.write_bytes(b"short")
    genes = next((home / "inputs").rglob("genes.csv"))
    genes.unlink()

    findings = [finding for finding in check(home, sqlite_in(home)) if "'real'" in finding]

    assert len(findings) == 2
    assert "damaged" in findings[0]
    assert "damaged" in findings[1]


def test_a_missing_foreign_or_damaged_database_is_a_finding_and_nothing_is_made(home):
    assert "There is no database" in check(home, sqlite_in(home))[0]
    assert not home.exists()

    home.mkdir()
    (home / "pertloop.db").write_bytes(b"something else")
    assert "is not a database" in check(home, sqlite_in(home))[0]


def test_a_row_whose_owner_is_gone_is_found(home):
    import sqlite3

    fill_home(home, sqlite_in(home))
    raw = sqlite3.connect(home / "pertloop.db")
    raw.execute("DELETE FROM campaigns WHERE name = 'k562'")
    raw.commit()
    raw.close()

    findings = check(home, sqlite_in(home))

    assert any("of 'campaigns' that is gone" in finding for finding in findings)


def test_a_damaged_page_is_found(home):
    fill_home(home, sqlite_in(home))
    path = home / "pertloop.db"
    content = bytearray(path.read_bytes())
    content[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    path.write_bytes(content)

    assert any("damaged" in finding for finding in check(home, sqlite_in(home)))


def test_postgres_is_checked_too(home, postgres_url):
    fill_home(home, postgres_url)
    next((home / "snapshots").iterdir()).unlink()

    assert any("has no file" in finding for finding in check(home, postgres_url))
