"""Two processes at once: both are told the same, or one wins and the other gets a sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.journeys import child
from tests.journeys.campaign_folder import CampaignFolder
from tests.journeys.command_line import CommandLine, Said
from tests.journeys.test_kill import rows_of

# Making that home imports everything, so that children need not.
pytestmark = pytest.mark.usefixtures("waiting_home")

_TRIES = 4
Race = Callable[[Path], tuple[CommandLine, tuple[object, ...], tuple[object, ...]]]


def raced(pertloop: CommandLine, folder: Path, *commands: tuple[object, ...]) -> list[Said]:
    """Run commands at once, each in a process of its own, from one starting shot."""
    shot = folder / "shot"

    def runner(number: int) -> child.Action:
        def run() -> None:
            while not shot.exists():
                pass
            said = pertloop.run(*commands[number], "--json")
            (folder / f"said-{number}").write_text(json.dumps([said.code, said.out, said.err]))

        return run

    running = [child.start(runner(number)) for number in range(len(commands))]
    shot.touch()
    assert [child.wait(each) for each in running] == [0] * len(commands)
    shot.unlink()
    return [
        Said(*json.loads((folder / f"said-{number}").read_text()))
        for number in range(len(commands))
    ]


def documents(said: list[Said]) -> list[Any]:
    """What commands said that must both succeed."""
    assert [each.code for each in said] == [0] * len(said), said
    return [json.loads(each.out) for each in said]


@pytest.mark.parametrize("attempt", range(_TRIES))
def test_two_proposals_at_once_are_one_batch(tmp_path: Path, attempt: int) -> None:
    pertloop = CommandLine(tmp_path / "home")
    pertloop.document("init", CampaignFolder(top={"seed": attempt}).write(tmp_path / "files"))

    one, other = documents(raced(pertloop, tmp_path, ("propose", "tiny"), ("propose", "tiny")))

    assert one == other
    assert [one] == pertloop.document("batches", "tiny")
    assert len([row for row in rows_of(pertloop.home)["log_entries"] if "propose" in row]) == 1


@pytest.mark.parametrize("attempt", range(_TRIES))
def test_the_same_file_ingested_twice_at_once_counts_once(
    waiting: CommandLine, results: Path, tmp_path: Path, attempt: int
) -> None:
    ingest = ("ingest", "tiny", results)

    answers = [found[0] for found in documents(raced(waiting, tmp_path, ingest, ingest))]

    assert sorted(answer["again"] for answer in answers) == [False, True]
    assert answers[0]["file"] == answers[1]["file"]
    rows = rows_of(waiting.home)
    assert (len(rows["results_files"]), len(rows["measurements"])) == (1, 9)


@pytest.mark.parametrize("attempt", range(_TRIES))
def test_two_files_that_differ_in_one_well_are_both_kept_in_some_order(
    waiting: CommandLine, results: Path, tmp_path: Path, attempt: int
) -> None:
    other = tmp_path / "other.csv"
    lines = results.read_text(encoding="utf-8").splitlines()
    cells = lines[1].split(",")
    cells[6] = "9.25"
    other.write_text("\n".join([lines[0], ",".join(cells), *lines[2:]]) + "\n", encoding="utf-8")

    documents(raced(waiting, tmp_path, ("ingest", "tiny", results), ("ingest", "tiny", other)))

    rows = rows_of(waiting.home)
    assert (len(rows["results_files"]), len(rows["measurements"])) == (2, 10)


@pytest.mark.parametrize("attempt", range(_TRIES))
def test_two_approvals_at_once_are_one(tmp_path: Path, attempt: int) -> None:
    pertloop = proposed(tmp_path)

    one, other = documents(
        raced(pertloop, tmp_path, ("approve", "tiny.b1"), ("approve", "tiny.b1"))
    )

    assert one == other
    assert len([row for row in rows_of(pertloop.home)["log_entries"] if "approve" in row]) == 1


@pytest.mark.parametrize("attempt", range(_TRIES))
def test_an_approval_and_a_rejection_at_once_end_as_a_rejection_or_one_is_refused(
    tmp_path: Path, attempt: int
) -> None:
    pertloop = proposed(tmp_path)

    approved, rejected = raced(
        pertloop, tmp_path, ("approve", "tiny.b1"), ("reject", "tiny.b1", "--why", "late")
    )

    # An approved batch may still be rejected, a rejected one is never approved.
    assert rejected.code == 0
    assert approved.code == 0 or "rejected" in approved.err
    (batch,) = pertloop.document("batches", "tiny")
    assert (batch["state"], batch["why"]) == ("rejected", "late")


@pytest.mark.parametrize("attempt", range(_TRIES))
def test_a_dispatch_and_a_rejection_at_once_agree(tmp_path: Path, attempt: int) -> None:
    pertloop = proposed(tmp_path)
    pertloop.document("approve", "tiny.b1")

    dispatched, rejected = raced(
        pertloop, tmp_path, ("dispatch", "tiny.b1"), ("reject", "tiny.b1", "--why", "late")
    )

    (batch,) = pertloop.document("batches", "tiny")
    jobs = list(pertloop.home.glob("lab/csv/tiny/tiny.b1"))
    if batch["state"] == "dispatched":
        assert (dispatched.code, rejected.code, len(jobs)) == (0, 1, 1)
        assert "dispatch" in rejected.err
    else:
        assert (batch["state"], rejected.code, dispatched.code) == ("rejected", 0, 1)
        assert jobs == []


@pytest.mark.parametrize("attempt", range(_TRIES))
def test_two_dispatches_at_once_are_one_job(tmp_path: Path, attempt: int) -> None:
    pertloop = proposed(tmp_path)
    pertloop.document("approve", "tiny.b1")
    dispatch = ("dispatch", "tiny.b1")

    said = raced(pertloop, tmp_path, dispatch, dispatch)

    assert 0 in {each.code for each in said}, said
    for each in said:
        assert each.code == 0 or "again" in each.err or "repeat" in each.err, each
    assert pertloop.document("dispatch", "tiny.b1")["state"] == "queued"
    assert [path.name for path in pertloop.home.glob("lab/csv/tiny/*")] == ["tiny.b1"]
    assert pertloop.document("batches", "tiny")[0]["state"] == "dispatched"


@pytest.mark.parametrize("attempt", range(4))
def test_two_inits_at_once_in_an_empty_home_are_one_campaign(tmp_path: Path, attempt: int) -> None:
    pertloop = CommandLine(tmp_path / "home")
    init = ("init", CampaignFolder().write(tmp_path / "files"))

    said = raced(pertloop, tmp_path, init, init)

    assert sorted(each.code for each in said) == [0, 1], said
    assert "already" in "".join(each.err for each in said)
    assert len(pertloop.document("campaigns")) == 1


def proposed(folder: Path) -> CommandLine:
    """A home with one proposed batch."""
    pertloop = CommandLine(folder / "home")
    pertloop.document("init", CampaignFolder().write(folder / "files"))
    pertloop.document("propose", "tiny")
    return pertloop
