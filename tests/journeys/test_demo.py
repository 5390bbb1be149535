"""`pertloop demo`: a whole campaign in one command."""

import re
from pathlib import Path

import pytest

from tests.journeys.command_line import CommandLine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def pertloop(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    return CommandLine(tmp_path_factory.mktemp("demo") / "home")


@pytest.fixture(scope="module")
def first(pertloop: CommandLine) -> str:
    """What the first demo in a fresh home prints."""
    return pertloop.text("demo", "--rounds", 4)


def test_the_demo_prints_a_line_for_each_round(first: str) -> None:
    lines = re.findall(r"^ +([1-4]) +(\S+) +(\d+) +(\d+) ", first, flags=re.MULTILINE)

    assert [line[0] for line in lines] == ["1", "2", "3", "4"]
    wells = [int(line[2]) for line in lines]
    assert wells == sorted(wells)
    assert "adopted" in first


def test_the_demo_leaves_a_report_and_a_campaign_like_any_other(
    pertloop: CommandLine, first: str
) -> None:
    report = Path(re.search(r"Report: (\S+)", first)[1])  # type: ignore[index]

    assert "<svg" in report.read_text(encoding="utf-8")
    status = pertloop.document("status", "demo")
    assert [line["state"] for line in status["rounds"]] == ["complete"] * 4
    assert pertloop.document("db", "check") == {"findings": []}
    assert pertloop.document("propose", "demo")["number"] == 5


def test_the_demo_beats_random_and_a_second_one_finds_the_same(
    pertloop: CommandLine, first: str
) -> None:
    second = pertloop.document("demo", "--rounds", 4)

    assert second["campaign"] == "demo-2"
    last = second["rounds"][-1]
    assert last["hits"] >= 1.5 * last["random_hits"]
    found = [
        [
            [choice["perturbation"] for choice in batch["choices"]]
            for batch in pertloop.document("batches", name)[:4]
        ]
        for name in ("demo", "demo-2")
    ]
    assert found[0] == found[1]
    rounds = [pertloop.document("status", name)["rounds"][:4] for name in ("demo", "demo-2")]
    for one, other in zip(*rounds, strict=True):
        assert (one["tested"], one["hits"]) == (other["tested"], other["hits"])
