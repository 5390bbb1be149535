"""A home in which two campaigns wait for results; made once, copied for each test."""

import shutil
from pathlib import Path

import pytest

from tests.journeys.campaign_folder import CampaignFolder, filled_template, job_folder
from tests.journeys.command_line import CommandLine


@pytest.fixture(scope="session")
def waiting_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Campaigns `tiny` and `other`, each with a batch at the csv lab and no result yet."""
    pertloop = CommandLine(tmp_path_factory.mktemp("waiting") / "home")
    for name, seed in (("tiny", 7), ("other", 8)):
        folder = CampaignFolder(name, top={"seed": seed})
        pertloop.document("init", folder.write(pertloop.home.parent / name))
        pertloop.document("propose", name)
        pertloop.document("approve", f"{name}.b1")
        pertloop.document("dispatch", f"{name}.b1")
    return pertloop.home


@pytest.fixture
def waiting(waiting_home: Path, tmp_path: Path) -> CommandLine:
    """The command line in a copy of that home."""
    return CommandLine(Path(shutil.copytree(waiting_home, tmp_path / "home")))


@pytest.fixture
def results(waiting: CommandLine, tmp_path: Path) -> Path:
    """Good results for `tiny`, not ingested yet."""
    return filled_template(
        job_folder(waiting.home, "csv", "tiny", "tiny.b1"), tmp_path / "results.csv"
    )
