"""The benchmark of batch choice compares like with like."""

import sys

import numpy as np
import pytest

from benchmarks import batch
from benchmarks.choosing import botorch_discrete, greedy, peers
from benchmarks.choosing.screen import small_screen


def test_ours_and_botorch_choose_the_same_in_the_same_order() -> None:
    draws, best = batch.draws_of(16, 300)

    mine, theirs = (each.choose(draws, best, 5) for each in (greedy, botorch_discrete))

    assert mine.rows == theirs.rows
    assert mine.looked_at < theirs.looked_at


def test_the_figures_of_a_small_run_agree_with_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_POOL", 100)

    found = batch.whole(2_000, 32, 8)

    assert found["lazy_and_plain_same_first_picks"] == 1.0
    assert 0 < float(found["lazy_gains_computed_share"]) < 1
    assert 0.9 < float(found["two_stage_over_exact_value_ratio"]) <= 1.001


def test_a_peer_that_is_absent_late_or_broken_is_told_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = small_screen(perturbagens=8, wells=10)

    monkeypatch.setenv("PERTLOOP_AX_PYTHON", "/nowhere/python")
    assert "run 'make bench-peers'" in peers.ax(screen, 2, 5.0).refused
    monkeypatch.setenv("PERTLOOP_AX_PYTHON", sys.executable)
    assert "No module named 'ax'" in peers.ax(screen, 2, 60.0).refused
    monkeypatch.setenv("PERTLOOP_PEERS_PYTHON", sys.executable)
    assert "had not chosen after" in peers.baybe(screen, 2, 0.01).refused


def test_our_side_of_the_small_screen_chooses_unmeasured_pairs() -> None:
    screen = small_screen(perturbagens=10, wells=20)

    answer = peers.ours(screen, 4)

    assert len(set(answer.rows)) == 4
    assert not set(answer.rows) & set(screen.measured.tolist())
    assert np.isfinite(screen.truth).all()
