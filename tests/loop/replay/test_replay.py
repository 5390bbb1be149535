import json
import math
from dataclasses import fields, is_dataclass, replace
from itertools import pairwise

import numpy as np
import pytest

from loop.domain.errors import (
    CampaignFileError,
    NotEnoughCandidatesError,
    PluginNotFoundError,
    UnreadableFileError,
)
from loop.domain.goal import Goal
from loop.ports.engine import Compute
from loop.replay.campaign import MeasuredLab, Plan
from loop.replay.document import RandomExpectation, expectation, summarize
from loop.replay.inputs import RepresentationFiles
from loop.replay.plot import plot_replay
from loop.replay.run import ReplayRequest
from loop.replay.run import replay as run
from loop.screen import Columns
from tests.loop.replay.synthetic import GENES, asked, replay, screen, strategy, vectors

PLAN = Plan(start=24, rounds=2, batch=16, audit=0.1)


@pytest.fixture(scope="module")
def table():
    return screen()


@pytest.mark.parametrize(
    ("surrogate", "acquisition", "goal"),
    [
        ("ensemble", "auto", Goal.FIND_HITS),
        ("ensemble", "expected-hits", Goal.FIND_HITS),
        ("random", "auto", Goal.FIND_HITS),
        ("random", "expected-hits", Goal.FIND_HITS),
        # These two also look at the best value so far.
        ("ensemble", "log-expected-improvement", Goal.MAXIMIZE),
        ("random", "log-expected-improvement", Goal.MAXIMIZE),
    ],
)
def test_a_surrogate_never_sees_an_unmeasured_value(table, surrogate, acquisition, goal):
    question = replace(asked(table), goal=goal)
    tried = strategy(surrogate, acquisition)
    whole = replay(table, question, PLAN).run(tried, seed=3)
    assert len(whole.addresses) == len(set(whole.addresses.tolist())) == 56
    hidden = np.full_like(table.values, np.nan)
    hidden[whole.addresses] = table.values[whole.addresses]
    assert np.isnan(hidden).sum() == 190 - 56
    blind = replay(replace(table, values=hidden), question, PLAN).run(tried, seed=3)
    np.testing.assert_array_equal(blind.addresses, whole.addresses)
    assert [foretold(line) for line in blind.rounds] == [foretold(line) for line in whole.rounds]


def foretold(line):
    """What was said of a round before it was measured."""
    return (line.forecast_hits, line.forecast_gain, line.forecast_low, line.forecast_high)


def test_each_round_but_the_first_is_foretold_and_the_intervals_are_counted(table):
    ready = replay(table, asked(table), PLAN)
    runs = [ready.run(strategy("ensemble", "expected-hits"), seed) for seed in range(3)]
    inside = []
    for told in runs:
        assert foretold(told.rounds[0]) == (None, None, None, None)
        for before, line in pairwise(told.rounds):
            assert 0 <= line.forecast_low <= line.forecast_hits <= line.forecast_high <= 16
            inside.append(line.forecast_low <= line.hits - before.hits <= line.forecast_high)
            assert line.hits_low + line.hits_high == line.hits
    summary = summarize(runs, expectation(ready, PLAN))
    assert summary.forecasts == 6
    assert summary.forecast_coverage90 == pytest.approx(np.mean(inside))


def test_the_proof_would_notice_a_surrogate_that_peeks(table):
    # The same experiment, with one *measured* value taken away, must not end the same.
    question = asked(table)
    tried = strategy("ensemble", "expected-hits")
    whole = replay(table, question, PLAN).run(tried, seed=3)
    other = table.values.copy()
    other[whole.addresses[:24]] *= -1
    changed = replay(replace(table, values=other), question, PLAN).run(tried, seed=3)
    np.testing.assert_array_equal(changed.addresses[:24], whole.addresses[:24])
    assert changed.addresses[24:].tolist() != whole.addresses[24:].tolist()


def test_the_lab_gives_what_is_asked_for_and_no_more(table):
    asked_for = np.array([7, 3])
    told = MeasuredLab(table).measure(asked_for, np.array([True, False]))
    np.testing.assert_array_equal(told.values[:, 0], table.values[asked_for])
    np.testing.assert_array_equal(told.identities, table.identities[asked_for])
    np.testing.assert_array_equal(told.audit, [True, False])
    assert not np.shares_memory(told.values, table.values)
    assert _floats(told) == {"values": (2, 1), "spread": (2, 1)}


def _floats(thing):
    """Shapes of all float arrays inside a dataclass."""
    found = {}
    for each in fields(thing):
        value = getattr(thing, each.name)
        if is_dataclass(value):
            found |= _floats(value)
        elif value.dtype.kind == "f":
            found[each.name] = value.shape
    return found


def test_the_same_seed_replays_the_same_and_the_first_wells_depend_on_it_alone(table):
    ready = replay(table, asked(table), PLAN)
    one = ready.run(strategy("random", "random"), 1)
    np.testing.assert_array_equal(
        ready.run(strategy("random", "random"), 1).addresses, one.addresses
    )
    other = ready.run(strategy("random", "expected-hits"), 1)
    np.testing.assert_array_equal(other.addresses[:24], one.addresses[:24])
    assert ready.run(strategy("random", "random"), 2).addresses[:24].tolist() != list(
        one.addresses[:24]
    )


def test_each_round_is_counted_as_it_was_measured(table):
    question = asked(table)
    told = replay(table, question, PLAN).run(strategy("random", "random"), 0)
    assert [line.wells for line in told.rounds] == [24, 40, 56]
    for line in told.rounds:
        measured = told.addresses[: line.wells]
        assert line.hits == question.hits[measured].sum()
        assert line.best == table.values[measured].max()
        rest = np.setdiff1d(np.arange(190), measured)
        # The surrogate `random` believes the mean of what was measured.
        error = table.values[rest] - table.values[measured].mean()
        assert line.rmse == pytest.approx(np.sqrt((error**2).mean()))
        assert line.spearman is None
        assert 0.7 < line.coverage90 <= 1.0
    assert told.rounds[0].coverage90_selected is None
    assert None not in (line.coverage90_selected for line in told.rounds[1:])


def test_everything_can_be_measured(table):
    plan = Plan(start=100, rounds=3, batch=30)
    told = replay(table, asked(table), plan).run(strategy("random", "random"), 0)
    assert sorted(told.addresses) == list(range(190))
    last = told.rounds[-1]
    assert last.hits == 19
    assert (last.rmse, last.coverage90, last.coverage90_top) == (None, None, None)


@pytest.mark.slow
def test_learning_finds_more_than_chance(table):
    plan = Plan(start=40, rounds=3, batch=16)
    ready = replay(table, asked(table), plan)
    runs = [ready.run(strategy("ensemble", "auto"), seed) for seed in range(3)]
    told = summarize(runs, expectation(ready, plan))
    assert told.ratio_to_random > 1.4


def test_random_expectation_is_the_share_of_hits(table):
    ready = replay(table, asked(table), PLAN)
    told = expectation(ready, PLAN)
    assert told == RandomExpectation((24, 40, 56), pytest.approx((2.4, 4.0, 5.6)))
    runs = [ready.run(strategy("random", "random"), seed) for seed in range(20)]
    summary = summarize(runs, told)
    assert summary.wells == 56
    # 5.6 by chance with a hypergeometric SD of 1.9 a run, 0.42 for the mean of 20.
    assert 4.2 < summary.hits_mean < 7.0
    assert summary.ratio_to_random == pytest.approx(summary.hits_mean / 5.6)


def test_one_seed_has_no_spread(table):
    ready = replay(table, asked(table), PLAN)
    told = summarize([ready.run(strategy("random", "random"), 0)], expectation(ready, PLAN))
    assert told.hits_sd is None
    assert told.hits_mean == told.hits_median


@pytest.fixture
def path(tmp_path, table):
    rows = [
        f"{GENES[a]},{GENES[b]},{value:.6f}"
        for (a, b), value in zip(table.combinations.components, table.values, strict=True)
    ]
    path = tmp_path / "screen.csv"
    path.write_text("\n".join(["a,b,gi", *rows]) + "\n")
    np.savez(tmp_path / "urs.npz", id=np.array(GENES), x=vectors())
    return path


def request(path, **given):
    ready = {
        "top": 0.1,
        "plan": PLAN,
        "seeds": 2,
        "surrogates": ("random",),
        "acquisitions": ("random", "expected-hits"),
        **given,
    }
    return ReplayRequest(path, Columns(("a", "b"), "gi"), **ready)


def test_a_replay_is_the_document_of_the_design(path):
    heard = []
    done = run(
        request(
            path, representations=RepresentationFiles(embeddings=(str(path.with_name("urs.npz")),))
        ),
        Compute(threads=1),
        lambda share, doing: heard.append(share),
    )
    document = json.loads(json.dumps(done.document, allow_nan=False))
    assert set(document) == {"settings", "strategies", "random_expectation"}
    assert document["settings"]["seeds"] == [0, 1]
    assert document["settings"]["candidates"] == 190
    assert document["random_expectation"]["wells"] == [24, 40, 56]
    names = [(each["surrogate"], each["acquisition"]) for each in document["strategies"]]
    assert names == [("random", "random"), ("random", "expected-hits")]
    for each in document["strategies"]:
        assert [one["seed"] for one in each["runs"]] == [0, 1]
        for line in (line for one in each["runs"] for line in one["rounds"]):
            assert set(line) == {
                "wells",
                "hits",
                "best",
                "rmse",
                "spearman",
                "nll",
                "coverage90",
                "coverage90_top",
                "coverage90_selected",
                "seconds_propose",
                "seconds_retrain",
                "forecast_hits",
                "forecast_gain",
                "forecast_low",
                "forecast_high",
                "hits_low",
                "hits_high",
                "regret",
                "top100",
                "hypervolume",
                "distance",
            }
        assert {
            "wells",
            "hits_mean",
            "hits_sd",
            "hits_median",
            "ratio_to_random",
            "coverage90_mean",
        } <= set(each["summary"])
    assert any("covers 20 of 20 perturbagens" in note for note in done.notes)
    assert heard == sorted(heard)
    assert math.isclose(heard[-1], 1.0)


def test_what_cannot_be_computed_is_null(path):
    done = run(
        request(path, top=None, goal=Goal.MAXIMIZE, seeds=1, acquisitions=("auto",)),
        Compute(threads=1),
    )
    document = json.loads(json.dumps(done.document, allow_nan=False))
    assert document["random_expectation"]["hits"] is None
    summary = document["strategies"][0]["summary"]
    assert (summary["hits_mean"], summary["ratio_to_random"]) == (None, None)


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ({"surrogates": ("ensembl",)}, PluginNotFoundError, "Did you mean 'ensemble'"),
        ({"acquisitions": ("atuo",)}, PluginNotFoundError, "Did you mean 'auto'"),
        ({"plan": Plan(100, 5, 20)}, NotEnoughCandidatesError, "need 200 .* the table has 190"),
        ({"threshold": (-1.0, 1.0)}, CampaignFileError, "more than once"),
        ({"top": None}, CampaignFileError, "needs hits"),
        (
            {"representations": RepresentationFiles(embeddings=("nowhere.npz",))},
            UnreadableFileError,
            "nowhere.npz",
        ),
    ],
)
def test_what_cannot_be_replayed_is_refused(path, given, error, told):
    with pytest.raises(error, match=told):
        run(request(path, **given), Compute(threads=1))


@pytest.mark.parametrize("top", [None, 0.1])
def test_the_curves_can_be_drawn(path, tmp_path, top):
    goal = {"goal": Goal.MAXIMIZE, "acquisitions": ("auto",)} if top is None else {}
    done = run(request(path, top=top, **goal), Compute(threads=1))
    for ending in ("png", "svg"):
        picture = tmp_path / f"curves.{ending}"
        plot_replay(done, picture)
        assert picture.stat().st_size > 1000
    for name in ("curves.doc", "nowhere/curves.png"):
        with pytest.raises(UnreadableFileError, match="could not be drawn"):
            plot_replay(done, tmp_path / name)
