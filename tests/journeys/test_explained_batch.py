"""`propose --explain` and forecasts, from the second batch to what came, through the command line.

Also with a database that the first release wrote.
"""

import shutil
from pathlib import Path

import pytest

from tests.journeys.campaign_folder import CampaignFolder
from tests.journeys.command_line import SQLITE_FILE, CommandLine

FIRST_RELEASE = Path(__file__).parents[1] / "store_files" / "0.1.0.db"
SIMULATED = (
    CampaignFolder("sim")
    .with_("lab", adapter="simulated", dead=0.0)
    .with_("batch", size=22, audit=0.2)
    .with_("surrogate", name="gaussian-process")
    .with_("acquisition", name="auto")
)


@pytest.fixture
def pertloop(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "home")


def measured(pertloop: CommandLine, batch: str) -> None:
    pertloop.document("approve", batch)
    pertloop.document("dispatch", batch)
    pertloop.document("ingest", "sim")
    pertloop.document("retrain", "sim")


def test_a_batch_is_explained_choice_by_choice_and_checked_against_what_came(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    pertloop.document("init", SIMULATED.write(tmp_path / "files"))
    assert "no surrogate is trained yet" in pertloop.text("propose", "sim", "--explain")
    measured(pertloop, "sim.b1")

    text = pertloop.text("propose", "sim", "--explain")
    told = pertloop.document("propose", "sim", "--explain")
    batch = pertloop.document("propose", "sim")

    assert told["batch"] == batch
    assert [each["choice"] for each in told["choices"][:18]] == [
        choice for choice in batch["choices"] if choice["chosen_by"] == "acquisition"
    ]
    for each in told["choices"]:
        assert each["choice"]["perturbation"] in text
        assert each["nearest"]["key"] in text
        belief = each["choice"]["belief"]["gi"]
        assert f"{belief['mean']:.3g} ±" in text
    assert told["advice"] in text
    assert told["advice"] in pertloop.text("propose", "sim")
    forecast = batch["forecast"]
    assert forecast["low"] <= forecast["value"] <= forecast["high"]
    assert f"({forecast['low']:.0f} to {forecast['high']:.0f} nine times in ten)" in text
    assert told["advice"] in pertloop.text("status", "sim")

    measured(pertloop, "sim.b2")
    status = pertloop.document("status", "sim")
    came = status["rounds"][1]["came"]
    assert (came["planned"], came["measured"]) == (22, 22)
    assert came["value"] == status["rounds"][1]["hits"] - status["rounds"][0]["hits"]
    assert status["forecasts_kept"] == [int(came["inside"]), 1]
    shown = pertloop.text("status", "sim")
    assert f"came {came['value']:.0f}" in shown
    assert f"and brought {came['value']:.0f}" in shown
    assert f"Forecasts: {int(came['inside'])} of 1 90 % intervals held" in shown


def test_a_database_of_the_first_release_is_upgraded_and_shown(
    pertloop: CommandLine, tmp_path: Path
) -> None:
    pertloop.home.mkdir()
    shutil.copy(FIRST_RELEASE, pertloop.home / SQLITE_FILE)
    assert "run `pertloop db upgrade`" in pertloop.refusal("batches", "k562")

    pertloop.text("db", "upgrade")

    assert [each["forecast"] for each in pertloop.document("batches", "k562")] == [None, None]
    status = pertloop.document("status", "k562")
    assert (status["forecasts_kept"], status["outlook"]) == ([0, 0], None)
    assert "k562-001" in pertloop.text("status", "k562")
