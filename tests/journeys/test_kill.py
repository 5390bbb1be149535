"""SIGKILL at every step that could leave a trace: nothing is lost, doubled or half-written."""

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.journeys import child
from tests.journeys.campaign_folder import CampaignFolder
from tests.journeys.command_line import SQLITE_FILE, CommandLine

pytestmark = pytest.mark.slow

_TIMES = {"created_at", "ingested_at", "at"}
_MOST_STEPS = 1_000
CAMPAIGN = CampaignFolder("tiny").with_("lab", adapter="simulated")


@dataclass(frozen=True)
class Stage:
    """A command and the commands that come before it."""

    before: Sequence[tuple[str, ...]]
    command: tuple[str, ...]


ROUND = (
    ("propose", "tiny"),
    ("approve", "tiny.b1"),
    ("dispatch", "tiny.b1"),
    ("ingest", "tiny"),
    ("retrain", "tiny"),
)
STAGES = {
    "init in an empty home": Stage((), ("init", "campaign.toml")),
    "propose by lot": Stage(ROUND[:0], ROUND[0]),
    "approve": Stage(ROUND[:1], ROUND[1]),
    "dispatch": Stage(ROUND[:2], ROUND[2]),
    "ingest": Stage(ROUND[:3], ROUND[3]),
    "retrain": Stage(ROUND[:4], ROUND[4]),
    "propose with a surrogate": Stage(ROUND, ROUND[0]),
    "retrain from a champion": Stage(
        (
            *ROUND,
            ("propose", "tiny"),
            ("approve", "tiny.b2"),
            ("dispatch", "tiny.b2"),
            ("ingest", "tiny"),
        ),
        ROUND[4],
    ),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("stage", STAGES)
def test_a_command_that_was_killed_anywhere_can_be_run_again(stage: str, tmp_path: Path) -> None:
    start, command = prepared(STAGES[stage], CAMPAIGN, tmp_path)
    whole = copied(start, tmp_path / "whole")
    whole.text(*command)
    expected = state(whole.home)

    for number in range(1, _MOST_STEPS):
        killed = copied(start, tmp_path / "killed")
        ended = child.run(partial(mortal, number, killed, command))
        if ended == 0:
            break
        assert ended == -signal.SIGKILL
        assert sound(killed), (stage, number)

        again = killed.run(*command)

        exists = command[0] == "init" and "exists already" in again.err
        assert again.code == 0 or exists, (stage, number, again)
        assert state(killed.home) == expected, (stage, number)
    assert number > 5, "the command was never killed"
    assert state(killed.home) == expected


@pytest.mark.timeout(300)
def test_a_job_is_handed_over_once_however_often_dispatch_is_killed(tmp_path: Path) -> None:
    start, command = prepared(STAGES["dispatch"], CAMPAIGN, tmp_path)
    whole = copied(start, tmp_path / "whole")
    whole.text(*command)

    for number in (3, 5, 8, 13, 21, 34, 55):
        child.run(partial(mortal, number, start, command))
    start.text(*command)

    jobs = [path.name for path in start.home.glob("*/simulated/tiny/*")]
    assert jobs == ["tiny.b1"]
    assert state(start.home) == state(whole.home)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("stage", ["retrain", "propose with a surrogate"])
def test_the_ensemble_may_be_killed_at_any_time(stage: str, tmp_path: Path) -> None:
    campaign = CAMPAIGN.with_("surrogate", name="ensemble", members=4).with_(
        "acquisition", name="auto"
    )
    start, command = prepared(STAGES[stage], campaign, tmp_path)
    whole = copied(start, tmp_path / "whole")
    begun = time.monotonic()
    assert process(whole, command).wait() == 0
    lasts = time.monotonic() - begun
    expected = state(whole.home)
    rng = random.Random(3)

    for _ in range(3):
        killed = copied(start, tmp_path / "killed")
        running = process(killed, command)
        time.sleep(rng.uniform(0.3, 1.0) * lasts)
        running.kill()
        running.wait()
        assert sound(killed)
        assert process(killed, command).wait() == 0
        assert state(killed.home) == expected


def prepared(
    stage: Stage, campaign: CampaignFolder, folder: Path
) -> tuple[CommandLine, tuple[str, ...]]:
    """A home in which everything before a stage is done, and the stage's command."""
    file = campaign.write(folder / "files")
    start = CommandLine(folder / "start")
    if stage.command[0] == "init":
        start.home.mkdir()
        return start, ("init", str(file))
    start.text("init", file)
    for words in stage.before:
        start.text(*words)
    return start, stage.command


def copied(start: CommandLine, home: Path) -> CommandLine:
    """The command line in a fresh copy of a home."""
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(start.home, home)
    return CommandLine(home)


def mortal(number: int, pertloop: CommandLine, command: tuple[str, ...]) -> None:
    """Run a command in this process, unless step `number` comes first."""
    child.die_at(number, pertloop.home)
    pertloop.text(*command)


def process(pertloop: CommandLine, command: tuple[str, ...]) -> "subprocess.Popen[bytes]":
    """The command in an interpreter of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", "from loop.cli import main; main()", *command],
        env={
            "PERTLOOP_HOME": str(pertloop.home),
            "PERTLOOP_THREADS": "1",
            "PERTLOOP_USER": "ada",
            "OMP_NUM_THREADS": "1",
        },
        stdout=subprocess.DEVNULL,
    )


def sound(pertloop: CommandLine) -> bool:
    """Whether `db check` finds nothing wrong; before there is a database, nothing can be."""
    if not (pertloop.home / SQLITE_FILE).exists():
        return True
    said = pertloop.run("db", "check", "--json")
    return said.code == 0 or (not rows_of(pertloop.home) and "at version none" in said.out)


def state(home: Path) -> dict[str, object]:
    """Everything that a home holds, times and unfinished files aside."""
    files = {
        path.relative_to(home).as_posix(): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file()
        and not path.name.startswith(SQLITE_FILE)
        and not any(part.endswith(".part") for part in path.parts)
    }
    return {**files, "rows": rows_of(home)}


def rows_of(home: Path) -> dict[str, list[tuple[object, ...]]]:
    """The rows of every table, without the columns that hold times."""
    with closing(sqlite3.connect(home / SQLITE_FILE)) as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            )
        ]
        found = {}
        for table in sorted(tables):
            about = connection.execute(f"PRAGMA table_info({table})")
            kept = ", ".join(row[1] for row in about if row[1] not in _TIMES)
            found[table] = list(connection.execute(f"SELECT {kept} FROM {table} ORDER BY rowid"))
    return found
