"""Many programs on one SQLite file: nobody fails and nothing is lost."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from threading import Barrier

from loop.contracts.nouns import a_campaign, a_log_entry
from loop.store.engine import open_storage

PROCESSES, TURNS = 8, 30


def read_then_write(url: str) -> int:
    """Read, then write, many times over; the storage may not exist yet."""
    storage = open_storage(url)
    for turn in range(TURNS):
        with storage.writing() as work:
            if not work.campaigns.all():
                work.campaigns.add(a_campaign())
            work.campaigns.advance(work.campaigns.get("k562"))
            work.log.append("k562", a_log_entry(str(turn)))
            work.commit()
        with storage.reading() as work:
            work.campaigns.get("k562")
    storage.close()
    return TURNS


def test_eight_processes_open_a_new_file_and_read_then_write_without_one_failure(sqlite_url):
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=spawn) as processes:
        turns = list(processes.map(read_then_write, [sqlite_url] * PROCESSES))

    assert sum(turns) == PROCESSES * TURNS
    storage = open_storage(sqlite_url)
    with storage.reading() as work:
        assert work.campaigns.get("k562").version == 1 + PROCESSES * TURNS
        assert len(work.log.of("k562")) == PROCESSES * TURNS
    storage.close()


def test_threads_that_open_a_new_file_at_the_same_instant_all_get_in(tmp_path):
    together = 8

    def open_at_once(url: str, start: Barrier) -> None:
        start.wait(timeout=60)
        open_storage(url).close()

    with ThreadPoolExecutor(together) as threads:
        for turn in range(10):
            url, start = f"sqlite:///{tmp_path}/{turn}.db", Barrier(together)
            list(threads.map(open_at_once, [url] * together, [start] * together))
