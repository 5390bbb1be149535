"""Do what is not done yet, within a budget of minutes, on one process or several."""

import hashlib
import importlib.metadata
import json
import multiprocessing
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.decisions import results, strategies
from benchmarks.decisions.catalogue import Entry
from benchmarks.decisions.measure import measure
from benchmarks.decisions.prepare import fingerprint
from loop.ports.engine import Compute

_PACKAGES = ("numpy", "torch", "botorch", "scikit-learn")
_ORPHANED_AFTER = 2.0

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Task:
    """One run that is wanted; `settings` and `code` as in `results.Run`."""

    entry: Entry
    strategy: str
    seed: int
    settings: str
    code: str

    @property
    def key(self) -> tuple[str, str]:
        """What a finished run must have in common with it."""
        return self.settings, self.code


@dataclass(frozen=True, slots=True)
class Conditions:
    """Where data lie and results go, and how long all (None: no limit) or a peer may take."""

    data: Path
    results: Path
    compute: Compute
    peer_minutes: float = 10.0
    minutes: float | None = None
    processes: int = 1


def tasks(
    entries: Sequence[Entry], names: Sequence[str], seeds: int, conditions: Conditions
) -> list[Task]:
    """Every run that is wanted, seed by seed, so that a short budget leaves all comparable.

    Raises:
        UnreadableFileError: If a file of a screen cannot be read.
    """
    return [
        Task(entry, name, seed, _settings(entry, name, seed, conditions), strategies.version(name))
        for seed in range(seeds)
        for entry in entries
        for name in names
    ]


def _settings(entry: Entry, name: str, seed: int, conditions: Conditions) -> str:
    compute = conditions.compute
    asked: list[object] = [fingerprint(entry, conditions.data), name, seed]
    asked += [compute.device, compute.dtype]
    if name in strategies.PEERS:
        asked.append(conditions.peer_minutes)
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]


def left_to_do(wanted: Iterable[Task], known: Iterable[results.Run]) -> list[Task]:
    """The tasks that no finished run answers."""
    done = {(run.settings, run.code) for run in known if run.status in results.FINISHED}
    return [task for task in wanted if task.key not in done]


def do(todo: Sequence[Task], conditions: Conditions, tell: Tell) -> int:
    """Run the tasks and append each result as it comes; gives how many were begun and finished.

    No new run begins once the minutes are spent.

    Raises:
        UnreadableFileError: If the results cannot be written.
    """
    finished = 0
    for record in _records(todo, conditions):
        results.append(conditions.results, record)
        finished += 1
        tell(f"{finished}/{len(todo)} {_sentence(record)}")
    return finished


def _records(todo: Sequence[Task], conditions: Conditions) -> Iterator[dict[str, object]]:
    until = float("inf")
    if conditions.minutes is not None:
        until = time.monotonic() + 60 * conditions.minutes
    if conditions.processes == 1:
        for task in todo:
            if time.monotonic() >= until:
                return
            yield record_of(task, conditions)
        return
    yield from _in_parallel(todo, conditions, until)


def _in_parallel(
    todo: Sequence[Task], conditions: Conditions, until: float
) -> Iterator[dict[str, object]]:
    waiting, running = list(reversed(todo)), set[Future[dict[str, object]]]()
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(conditions.processes, spawn, _end_with_parent, (os.getpid(),)) as pool:
        while waiting or running:
            while waiting and len(running) < conditions.processes and time.monotonic() < until:
                running.add(pool.submit(record_of, waiting.pop(), conditions))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for each in done:
                yield each.result()


def _end_with_parent(parent: int) -> None:
    """Workers of a killed program would wait for work for ever."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_ORPHANED_AFTER)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def record_of(task: Task, conditions: Conditions) -> dict[str, object]:
    """One line of the results file.

    A strategy that breaks is a result, too ('failed', with its last line on standard error), so
    that a night's other runs are made; it is run again next time.
    """
    try:
        told = measure(
            task.entry,
            conditions.data,
            task.strategy,
            task.seed,
            conditions.compute,
            conditions.peer_minutes,
        )
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        told = {"status": "failed", "rounds": [], "why": f"{type(error).__name__}: {error}"}
    return {
        "screen": task.entry.name,
        "strategy": task.strategy,
        "seed": task.seed,
        "settings": task.settings,
        "code": task.code,
        **told,
        "versions": {name: importlib.metadata.version(name) for name in _PACKAGES},
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _sentence(record: dict[str, object]) -> str:
    rounds = record["rounds"]
    begun = f"{record['screen']}, {record['strategy']}, seed {record['seed']}:"
    if record["status"] != "done":
        return f"{begun} {record['status']}, {record['why']}"
    hits = [each["hits"] for each in rounds] if isinstance(rounds, list) else []
    return f"{begun} hits {hits} in {record['seconds']} s"
