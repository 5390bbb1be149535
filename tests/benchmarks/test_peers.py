import time
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.decisions.peer import RanOutOfTimeError, desire, first_wells, run_peer
from benchmarks.decisions.peers.baybe_campaign import interpreter
from benchmarks.decisions.peers.features import of_urs, principal_components, two_hot
from benchmarks.decisions.peers.linear import on_identities
from benchmarks.decisions.peers.pdbal import expected_diameter
from benchmarks.decisions.strategies import PEERS
from loop.domain.errors import IncompatibleError
from loop.domain.goal import Goal, Readout
from loop.ports.arrays import Combinations, Representations
from loop.replay.campaign import Plan
from tests.loop.replay.synthetic import asked, replay, screen, strategy

PLAN = Plan(start=24, rounds=2, batch=12, audit=0.1)
NEVER = float("inf")
HERE = [name for name in PEERS if name != "baybe"]


@pytest.fixture(scope="module")
def table():
    return screen()


def run(ready, name, seed=3, deadline=NEVER):
    rounds = []
    addresses = run_peer(
        ready, PEERS[name].load(), seed, deadline, lambda _, each: rounds.append(each)
    )
    return addresses, rounds


@pytest.mark.parametrize("name", HERE)
def test_a_peer_begins_with_our_first_wells_repeats_none_and_sees_no_unmeasured_value(table, name):
    question = asked(table)
    ready = replay(table, question, PLAN)
    ours = ready.run(strategy("random", "random"), 3)

    addresses, rounds = run(ready, name)

    np.testing.assert_array_equal(addresses[:24], ours.addresses[:24])
    assert len(addresses) == len(set(addresses.tolist())) == 48
    assert [each.wells for each in rounds] == [24, 36, 48]
    hidden = np.full_like(table.values, np.nan)
    hidden[addresses] = table.values[addresses]
    blind, _ = run(replay(replace(table, values=hidden), question, PLAN), name)
    np.testing.assert_array_equal(blind, addresses)


def test_the_proof_would_notice_a_peer_that_peeks(table):
    question = asked(table)
    addresses, _ = run(replay(table, question, PLAN), "linear-thompson-urs")
    other = table.values.copy()
    other[addresses[:24]] *= -1

    changed, _ = run(replay(replace(table, values=other), question, PLAN), "linear-thompson-urs")

    np.testing.assert_array_equal(changed[:24], addresses[:24])
    assert changed[24:].tolist() != addresses[24:].tolist()


@pytest.mark.parametrize("name", ["linear-thompson-urs", "scikit-trees-greedy", "botorch-gp-mean"])
def test_peers_that_hunt_hits_find_more_than_chance(table, name):
    question = asked(table)
    plan = Plan(start=40, rounds=2, batch=16)
    ready = replay(table, question, plan)

    found = [question.hits[run(ready, name, seed)[0]].sum() for seed in range(2)]

    # 7.2 of the 19 hits by chance, with a hypergeometric SD of 2.0 a run.
    assert np.mean(found) > 11


def test_forecasts_are_in_the_readout_s_unit(table):
    ready = replay(table, asked(table), PLAN)
    for name in ("linear-thompson-urs", "botorch-gp-mean", "pdbal-rule-our-draws"):
        addresses, rounds = run(ready, name)
        rest = np.setdiff1d(np.arange(190), addresses)
        forecast = rounds[-1].forecast
        assert np.corrcoef(forecast.mean[rest], table.values[rest])[0, 1] > 0.4
        inside = np.abs(table.values - forecast.mean) < 1.645 * forecast.sd
        assert inside[rest].mean() > 0.6


def test_a_peer_that_runs_late_says_how_far_it_came(table):
    with pytest.raises(RanOutOfTimeError, match="round 0 of 2"):
        run(replay(table, asked(table), PLAN), "linear-thompson-urs", deadline=time.monotonic())


class Repeater:
    """Chooses what it was told was measured."""

    def __init__(self, problem):
        self.measured = np.zeros(0, dtype=np.int64)

    def learn(self, measured, addresses, rng):
        self.measured = addresses

    def choose(self, left, size, rng):
        return self.measured[:size]

    def forecast(self):
        return None


def test_a_peer_that_chooses_measured_wells_is_refused(table):
    with pytest.raises(IncompatibleError, match="0 not measured before; expected 12"):
        run_peer(replay(table, asked(table), PLAN), Repeater, 0, NEVER, lambda *_: None)


def test_first_wells_depend_on_the_seed(table):
    ready = replay(table, asked(table), PLAN)
    assert first_wells(ready, 0).tolist() != first_wells(ready, 1).tolist()


@pytest.mark.parametrize(
    ("goal", "low", "high", "expected"),
    [
        (Goal.MAXIMIZE, -np.inf, np.inf, [1.0, 2.0, 6.0]),
        (Goal.MINIMIZE, -np.inf, np.inf, [-1.0, -2.0, -6.0]),
        (Goal.FIND_HITS, -np.inf, 5.0, [1.0, 2.0, 6.0]),
        (Goal.FIND_HITS, 1.5, np.inf, [-1.0, -2.0, -6.0]),
        (Goal.FIND_HITS, 1.5, 5.0, [1.0, 0.0, 4.0]),
    ],
)
def test_a_peer_maximises_what_the_goal_wants(goal, low, high, expected):
    told = desire(np.array([1.0, 2.0, 6.0]), goal, Readout("y", low=low, high=high))
    assert told.tolist() == expected


def problem_of(components, representations, levels=None):
    from benchmarks.decisions.peer import PeerProblem
    from loop.ports.engine import Compute

    present = components >= 0
    levels = np.where(present, 0, -1) if levels is None else levels
    whole = Combinations(components, levels, np.zeros(len(components), dtype=np.int64))
    return PeerProblem(whole, representations, Goal.MAXIMIZE, Readout("y"), Compute(threads=1))


def test_two_hot_columns_say_who_acts_and_how_strongly():
    components, levels = np.array([[0, 2], [1, -1]]), np.array([[1, 0], [0, -1]])
    doses = np.array([[0.0, 1.0], [0.0, np.nan], [0.0, np.nan]])
    urs = Representations(np.zeros((3, 0)), np.zeros(3, dtype=bool), np.eye(1), doses)

    columns = two_hot(problem_of(components, urs, levels))

    assert columns.tolist() == [[1, 0, 1, 0.5, 0, 0], [0, 1, 0, 0, 0, 0]]


def test_columns_of_urs_do_not_depend_on_the_order_and_stand_for_any_number_that_acts():
    rng = np.random.default_rng(0)
    urs = Representations(
        rng.normal(size=(5, 3)), np.ones(5, dtype=bool), np.eye(1), np.zeros((5, 1))
    )
    reduced = principal_components(urs.perturbagens, urs.known, 3)

    pair, same, single, none = of_urs(
        problem_of(np.array([[1, 3], [3, 1], [4, -1], [-1, -1]]), urs), 3
    )

    np.testing.assert_array_equal(pair, same)
    expected = [reduced[1] + reduced[3], abs(reduced[1] - reduced[3]), reduced[1] * reduced[3]]
    np.testing.assert_allclose(pair, np.concatenate(expected), atol=1e-6)
    np.testing.assert_allclose(single, [*reduced[4], *np.zeros(6)], atol=1e-6)
    assert not none.any()


def test_identity_says_nothing_of_single_perturbagens():
    urs = Representations(np.zeros((3, 0)), np.zeros(3, dtype=bool), np.eye(1), np.zeros((3, 1)))
    with pytest.raises(IncompatibleError, match="one at a time"):
        on_identities(problem_of(np.array([[0], [1]]), urs))


def test_pdbal_prefers_the_well_that_tells_draws_apart():
    rng = np.random.default_rng(1)
    draws = np.concatenate([rng.normal(scale=0.01, size=(16, 5)), rng.normal(size=(16, 1))], axis=1)

    scores = expected_diameter(draws.astype(np.float32), 0.3, rng)

    assert scores.argmin() == 5


@pytest.fixture
def pretended(tmp_path, monkeypatch):
    """An interpreter that never answers."""
    path = tmp_path / "python"
    path.write_text("#!/bin/sh\nexec sleep 60\n")
    path.chmod(0o755)
    monkeypatch.setenv("PERTLOOP_PEERS_PYTHON", str(path))


def test_baybe_that_does_not_answer_is_ended_at_the_deadline(table, pretended):
    start = time.monotonic()
    with pytest.raises(RanOutOfTimeError, match="had not chosen"):
        run(replay(table, asked(table), PLAN), "baybe", deadline=start + 0.5)
    assert time.monotonic() - start < 10


def test_baybe_that_is_not_there_is_refused_with_what_to_do(table, tmp_path, monkeypatch):
    monkeypatch.setenv("PERTLOOP_PEERS_PYTHON", str(tmp_path / "nowhere"))
    with pytest.raises(IncompatibleError, match="make bench-peers"):
        run(replay(table, asked(table), PLAN), "baybe")


@pytest.mark.slow
def test_baybe_chooses_new_wells(table):
    if not interpreter().is_file():
        pytest.skip("BayBE has no environment; make bench-peers makes one")
    ready = replay(table, asked(table), Plan(start=12, rounds=2, batch=2))

    addresses, _ = run(ready, "baybe", deadline=time.monotonic() + 500)

    assert len(addresses) == len(set(addresses.tolist())) == 16
