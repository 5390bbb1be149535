"""`pertloop retrain` killed in the middle of training: the champion stands, training goes on."""

import time
from pathlib import Path

import pytest

from tests.journeys.campaign_folder import CampaignFolder
from tests.journeys.command_line import CommandLine
from tests.journeys.test_kill import STAGES, copied, prepared, process, rows_of, sound, state

pytestmark = pytest.mark.slow

CAMPAIGN = (
    CampaignFolder("tiny")
    .with_("lab", adapter="simulated")
    .with_("surrogate", name="ensemble", members=8, steps=1_600)
    .with_("acquisition", name="auto")
)


@pytest.mark.timeout(300)
def test_a_retrain_killed_midway_leaves_the_champion_and_goes_on_to_the_same_snapshot(
    tmp_path: Path,
) -> None:
    start, command = prepared(STAGES["retrain from a champion"], CAMPAIGN, tmp_path)
    whole = copied(start, tmp_path / "whole")
    assert process(whole, command).wait() == 0
    killed = copied(start, tmp_path / "killed")
    running = process(killed, command)
    left = checkpoint_of(killed)
    while not left.exists():
        assert running.poll() is None, "it ended before it could be killed"
        time.sleep(0.02)
    running.kill()
    running.wait()

    assert sound(killed)
    assert rows_of(killed.home) == rows_of(start.home)
    assert process(killed, command).wait() == 0

    assert state(killed.home) == state(whole.home)
    assert not left.exists()


def checkpoint_of(pertloop: CommandLine) -> Path:
    """Where the training of `tiny` leaves its state."""
    return pertloop.home / "checkpoints" / "tiny" / "training.safetensors"
