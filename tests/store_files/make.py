"""Make a small database as today's code writes it: `python -m tests.store_files.make VERSION`.

Run once for each release. The file is never made again: it shows what that release wrote, and
`tests/loop/store/test_release_files.py` reads it with today's code for ever.
"""

import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

from loop.contracts.nouns import (
    a_batch,
    a_campaign,
    a_dispatch,
    a_file,
    a_log_entry,
    a_measurement,
    a_rejected_row,
    a_snapshot,
)
from loop.domain.batch import BatchState
from loop.ports.storage import Storage
from loop.store.engine import open_storage

FOLDER = Path(__file__).parent


def fill(storage: Storage) -> None:
    """Store one of everything."""
    with storage.writing() as work:
        work.campaigns.add(a_campaign())
        work.batches.add(a_batch())
        work.batches.add(a_batch(number=2))
        work.batches.save(replace(a_batch(), state=BatchState.PARTIAL, decided_by="ada"))
        work.dispatches.add(a_dispatch(a_batch()))
        work.results.record(
            "k562",
            a_file(),
            [a_measurement(), a_measurement("C03", value=None)],
            [a_rejected_row()],
        )
        work.results.record(
            "k562",
            a_file("corrected.csv", "1" * 64),
            [a_measurement(value=-0.5, revision=2, source="1" * 64)],
            [],
        )
        work.snapshots.add(a_snapshot())
        work.log.append("k562", a_log_entry())
        work.campaigns.advance(a_campaign())
        work.commit()


def make(path: Path) -> None:
    """Write the database as one file, without its write-ahead log."""
    storage = open_storage(f"sqlite:///{path}")
    fill(storage)
    storage.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()


if __name__ == "__main__":
    make(FOLDER / f"{sys.argv[1]}.db")
