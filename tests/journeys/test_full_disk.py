"""A full disk: one sentence, nothing half-written, and after making room the same command works.

The disk is real: a small tmpfs, mounted in a child process with a mount namespace of its own.
"""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.journeys import child, small_disk
from tests.journeys.command_line import CommandLine
from tests.journeys.test_kill import CAMPAIGN, STAGES, copied, prepared, rows_of, state

pytestmark = pytest.mark.slow

_SIZE = 4 << 20
_PAGE = 4096
_NOT_ALLOWED = 77
_IN_TWO_STEPS = {"dispatch"}
"""What was meant is stored before the lab is called, so this much may be there."""


@pytest.mark.parametrize("stage", [name for name in STAGES if name != "init in an empty home"])
def test_a_full_disk_is_said_and_survived(stage: str, tmp_path: Path) -> None:
    start, command = prepared(STAGES[stage], CAMPAIGN, tmp_path)
    whole = copied(start, tmp_path / "whole")
    whole.text(*command)

    on_a_small_disk(
        tmp_path / "disk", lambda: every_fullness(start, whole, command, stage, tmp_path / "disk")
    )


def test_init_on_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    start, _ = prepared(STAGES["propose by lot"], CAMPAIGN, tmp_path)
    file = replace(CAMPAIGN.with_("batch", size=5), name="second").write(tmp_path / "second")
    whole = copied(start, tmp_path / "whole")
    whole.text("init", file)

    on_a_small_disk(
        tmp_path / "disk",
        lambda: every_fullness(start, whole, ("init", str(file)), "init", tmp_path / "disk"),
    )


def test_a_first_init_on_a_full_disk_can_be_repeated(tmp_path: Path) -> None:
    file = CAMPAIGN.write(tmp_path / "files")

    def story() -> None:
        refused = 0
        for pages in range(0, 200, 4):
            home = CommandLine(tmp_path / "disk" / "home")
            shutil.rmtree(home.home, ignore_errors=True)
            ballast = small_disk.fill(tmp_path / "disk", pages * _PAGE)
            said = home.run("init", file)
            ballast.unlink()
            if said.code == 0:
                break
            refused += 1
            assert_one_sentence(said.err)
            assert home.run("init", file).code == 0
        assert refused > 3

    on_a_small_disk(tmp_path / "disk", story)


def test_a_backup_or_report_that_does_not_fit_leaves_no_file(tmp_path: Path) -> None:
    start, _ = prepared(STAGES["retrain from a champion"], CAMPAIGN, tmp_path)
    disk = tmp_path / "disk"

    def story() -> None:
        for made, *words in (
            (disk / "backup.tar", "db", "backup", disk / "backup.tar"),
            (disk / "report.html", "report", "tiny", "-o", disk / "report.html"),
            (disk / "rejected.csv", "rejected", "tiny", "-o", disk / "rejected.csv"),
        ):
            ballast = small_disk.fill(disk, 0)
            said = start.run(*words)
            assert said.code == 1, said
            assert_one_sentence(said.err)
            assert os.listdir(disk) == ["ballast"]
            ballast.unlink()
            assert start.run(*words).code == 0
            Path(made).unlink()

    on_a_small_disk(disk, story)


def every_fullness(
    start: CommandLine, whole: CommandLine, command: tuple[str, ...], stage: str, disk: Path
) -> None:
    """Run a command with ever more room, until there is enough."""
    refused = 0
    for pages in range(0, 120):
        full = copied(start, disk / "home")
        before = rows_of(full.home)
        ballast = small_disk.fill(disk, pages * _PAGE)
        said = full.run(*command)
        ballast.unlink()
        if said.code == 0:
            assert state(full.home) == state(whole.home)
            break
        refused += 1
        assert said.code == 1, said
        assert_one_sentence(said.err)
        assert full.document("db", "check") == {"findings": []}
        assert stage in _IN_TWO_STEPS or rows_of(full.home) == before
        assert not list(full.home.rglob("*.part"))
        assert full.run(*command).code == 0
        assert state(full.home) == state(whole.home)
    assert refused > 3, "the disk was never full"


def assert_one_sentence(said: str) -> None:
    """The sentence names the disk as the reason."""
    assert said.startswith("pertloop: "), said
    assert said.count("\n") == 1, said
    assert "full" in said or "room" in said, said


def on_a_small_disk(folder: Path, story: "child.Action") -> None:
    """Run a story in a child that sees a small disk at `folder`."""

    def mounted() -> None:
        try:
            small_disk.mount(folder, _SIZE)
        except OSError:
            os._exit(_NOT_ALLOWED)
        story()

    ended = child.run(mounted)
    if ended == _NOT_ALLOWED:
        why = "no small disk can be mounted here (neither root nor user namespaces)"
        if os.environ.get("CI") == "true" and os.geteuid() == 0:
            pytest.fail(why)
        pytest.skip(why)
    assert ended == 0
