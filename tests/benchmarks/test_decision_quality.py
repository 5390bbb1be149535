import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks import decision_quality
from benchmarks.decisions import results, strategies
from benchmarks.decisions.catalogue import SCREENS, Entry
from benchmarks.decisions.measure import measure
from benchmarks.decisions.prepare import missing_files, prepare
from benchmarks.decisions.versions import code_version, meaning
from loop.domain.goal import Goal
from loop.ports.engine import Compute
from loop.replay.campaign import Plan
from tests.benchmarks.tiny import data_folder

ROOT = Path(__file__).parents[2]
SHARED = ROOT / "../shared/data"
QUICK = "random,linear-thompson-identity"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return data_folder(tmp_path_factory.mktemp("data"))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "results.jsonl"


def arguments(data, file, *more):
    given = {"--data": data, "--results": file, "--screens": "hodc", "--strategies": QUICK}
    flat = [str(part) for pair in given.items() for part in pair]
    return [*flat, *map(str, more)]


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def told(capsys):
    return json.loads(capsys.readouterr().out)


def test_each_run_is_a_line_and_is_not_run_again(data, file, capsys):
    assert decision_quality.main(arguments(data, file, "--seeds", 2, "--json")) == 0
    first, before = told(capsys), file.read_bytes()

    assert decision_quality.main(arguments(data, file, "--seeds", 2, "--json")) == 0
    assert file.read_bytes() == before
    assert told(capsys) == first
    decision_quality.main(arguments(data, file, "--seeds", 3, "--json"))
    assert file.read_bytes().startswith(before)
    assert Counter((each["strategy"], each["seed"]) for each in lines(file)) == Counter(
        (name, seed) for name in QUICK.split(",") for seed in range(3)
    )


def test_the_document_s_figures_are_flat_numbers_that_agree_with_the_runs(data, file, capsys):
    decision_quality.main(arguments(data, file, "--seeds", 3, "--json"))
    document = told(capsys)

    figures = document["figures"]
    assert document["benchmark"] == "decision_quality"
    assert all(isinstance(each, int | float) for each in figures.values())
    hits = {
        name: [each["rounds"][-1]["hits"] for each in lines(file) if each["strategy"] == name]
        for name in QUICK.split(",")
    }
    for name, found in hits.items():
        assert figures[f"hodc:{name}:hits_mean_count"] == pytest.approx(np.mean(found))
        assert figures[f"hodc:{name}:hits_sd_count"] == pytest.approx(np.std(found, ddof=1))
    apart = np.subtract(hits["linear-thompson-identity"], hits["random"])
    here = "hodc:linear-thompson-identity:hits_minus_reference_mean_count"
    assert figures[here] == pytest.approx(apart.mean())
    # 126 subsets, 6 of them hits, 88 measured.
    by_chance = 88 * 6 / 126
    ratio = figures["hodc:random:hits_over_random_ratio"]
    assert ratio == pytest.approx(np.mean(hits["random"]) / by_chance, rel=1e-3)


def test_all_strategies_begin_with_the_same_wells(data, file):
    decision_quality.main(arguments(data, file, "--seeds", 2))
    first = {}
    for each in lines(file):
        first.setdefault(each["seed"], set()).add(each["first_wells"])
    assert [len(found) for found in first.values()] == [1, 1]
    assert first[0] != first[1]


@pytest.mark.parametrize(
    ("goal", "threshold"),
    [
        (Goal.FIND_HITS, (-2.0, 2.0)),
        (Goal.FIND_HITS, (-2.0, np.inf)),
        (Goal.FIND_HITS, (-np.inf, 2.0)),
        (Goal.MINIMIZE, (-2.0, np.inf)),
    ],
)
def test_ours_and_peers_are_counted_alike(data, goal, threshold):
    columns = SCREENS["hodc"].columns
    entry = Entry("x", "hodc/combos.csv", columns, Plan(24, 1, 8), goal, threshold)
    ours, theirs = (
        measure(entry, data, name, 0, Compute(threads=1), 1.0) for name in QUICK.split(",")
    )
    # After the first wells, which are the same, so must be whatever is counted of them.
    for figure in ("wells", "hits", "best"):
        assert ours["rounds"][0][figure] == theirs["rounds"][0][figure]
    assert ours["random_hits"] == theirs["random_hits"]
    for each in (ours, theirs):
        if np.isfinite(threshold).all():
            assert each["hits_low"] + each["hits_high"] == each["rounds"][-1]["hits"]
        else:
            assert "hits_low" not in each


def test_a_half_written_line_is_told_of_and_run_again(data, file, capsys):
    decision_quality.main(arguments(data, file, "--seeds", 2))
    whole = file.read_bytes()
    file.write_bytes(whole[:-40])
    capsys.readouterr()

    assert decision_quality.main(arguments(data, file, "--seeds", 2)) == 0

    assert "line 4 is not a whole result" in capsys.readouterr().out
    runs, notes = results.read(file)
    assert len(runs) == 4
    assert len(notes) == 1
    assert file.read_bytes().startswith(whole[:-40] + b"\n")


def test_a_killed_program_goes_on_where_it_was(data, file):
    wanted = arguments(data, file, "--seeds", 12)
    program = [sys.executable, str(ROOT / "benchmarks" / "decision_quality.py"), *wanted]
    with subprocess.Popen(program, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as child:
        wait_for(lambda: file.exists() and file.read_bytes().count(b"\n") >= 2)
        child.send_signal(signal.SIGKILL)
    before = results.read(file)[0]
    kept = file.read_bytes()
    assert child.returncode == -signal.SIGKILL
    assert 2 <= len(before) < 24

    assert decision_quality.main(wanted) == 0

    assert file.read_bytes().startswith(kept)
    after = Counter((run.strategy, run.seed) for run in results.read(file)[0])
    assert after == Counter((name, seed) for name in QUICK.split(",") for seed in range(12))


def wait_for(happened, seconds=120.0):
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.slow
def test_processes_find_the_same_and_end_with_their_parent(data, file, tmp_path):
    alone = tmp_path / "alone.jsonl"
    decision_quality.main(arguments(data, alone, "--seeds", 20))
    wanted = arguments(data, file, "--seeds", 20, "--processes", 2)
    program = [sys.executable, str(ROOT / "benchmarks" / "decision_quality.py"), *wanted]
    with subprocess.Popen(program, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as child:
        wait_for(lambda: file.exists() and file.read_bytes().count(b"\n") >= 1)
        workers = children_of(child.pid)
        child.send_signal(signal.SIGKILL)
    assert workers
    wait_for(lambda: not any(alive(each) for each in workers), seconds=20)

    assert decision_quality.main(wanted) == 0

    assert hits_of(file) == hits_of(alone)


def hits_of(file):
    return {
        (run.strategy, run.seed): [line["hits"] for line in run.told["rounds"]]
        for run in results.read(file)[0]
    }


def children_of(parent):
    found = []
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            ppid = int(each.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if ppid == parent:
            found.append(int(each.parent.name))
    return found


def alive(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z" and os.path.exists(f"/proc/{process}")


def test_no_minutes_begin_no_run(data, file, capsys):
    assert decision_quality.main(arguments(data, file, "--seeds", 2, "--minutes", 0)) == 0
    assert not file.exists()
    assert "not run yet" in capsys.readouterr().out


def test_runs_of_other_code_are_made_anew_unless_asked_for(data, file, capsys):
    decision_quality.main(arguments(data, file, "--seeds", 2))
    older = [{**each, "code": "000000000000"} for each in lines(file)]
    file.write_text("".join(json.dumps(each) + "\n" for each in older))
    capsys.readouterr()

    decision_quality.main(arguments(data, file, "--seeds", 2, "--minutes", 0))
    assert "not run yet" in capsys.readouterr().out
    decision_quality.main(arguments(data, file, "--seeds", 2, "--minutes", 0, "--any-code"))
    assert "4 runs were made by other code" in capsys.readouterr().out
    decision_quality.main(arguments(data, file, "--seeds", 2))
    assert len(lines(file)) == 8


def test_a_strategy_that_breaks_is_told_of_and_tried_again(data, file, capsys, monkeypatch):
    broken = strategies.PeerEntry("features", "of_urs", "takes two arguments, and so breaks")
    monkeypatch.setattr(strategies, "PEERS", {**strategies.PEERS, "broken": broken})
    monkeypatch.setattr("benchmarks.decisions.measure.PEERS", strategies.PEERS)
    wanted = arguments(data, file, "--seeds", 1)
    wanted[wanted.index(QUICK)] = "broken,random"

    assert decision_quality.main(wanted) == 1

    shown = capsys.readouterr()
    assert "failed: TypeError" in shown.out
    assert "Traceback" in shown.err
    assert [each["status"] for each in lines(file)] == ["failed", "done"]
    assert decision_quality.main(wanted) == 1
    assert [each["status"] for each in lines(file)] == ["failed", "done", "failed"]


def test_tables_and_pictures_show_every_seed(data, file, tmp_path, capsys):
    page, picture = tmp_path / "page.md", tmp_path / "picture.png"
    more = ("--seeds", 3, "--markdown", page, "--plot", picture, "--reference", "random")
    assert decision_quality.main(arguments(data, file, *more)) == 0

    text = page.read_text()
    for name, hits in zip(
        QUICK.split(","), (by_seed(file, each) for each in QUICK.split(",")), strict=True
    ):
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{name}` ")]
        assert ", ".join(map(str, hits)) in row
    assert "n=3" in text
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out == ""


def by_seed(file, name):
    found = {
        each["seed"]: each["rounds"][-1]["hits"] for each in lines(file) if each["strategy"] == name
    }
    return [found[seed] for seed in sorted(found)]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("--screens", "hodk", "There is no screen 'hodk'. Did you mean 'hodc'?"),
        ("--strategies", "rundom", "There is no strategy 'rundom'. Did you mean 'random'?"),
        ("--strategies", "ensembel/auto", "There is no surrogate 'ensembel'."),
        ("--strategies", "random/autto", "There is no acquisition 'autto'."),
        ("--results", "/proc/nowhere/r.jsonl", "name another file with --results"),
        ("--plot", "nowhere/p.png", "cannot be drawn"),
        ("--markdown", "nowhere/p.md", "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_refused_in_a_sentence(data, file, capsys, name, value, sentence):
    wanted = arguments(data, file, "--seeds", 1, name, value)
    assert decision_quality.main(wanted) == 1
    assert sentence in capsys.readouterr().err
    assert not file.exists()


def test_absent_screens_are_left_out_with_a_message(tmp_path, file, capsys):
    assert decision_quality.main(arguments(tmp_path, file, "--json")) == 0
    shown = capsys.readouterr()
    assert "hodc is left out" in shown.err
    assert json.loads(shown.out)["figures"] == {}


def test_a_peer_that_is_not_installed_is_left_out_with_a_message(
    data, file, capsys, monkeypatch, tmp_path
):
    monkeypatch.setenv("PERTLOOP_PEERS_PYTHON", str(tmp_path / "nowhere"))
    wanted = arguments(data, file, "--seeds", 1, "--strategies", "random,baybe")
    assert decision_quality.main(wanted) == 0
    assert "baybe is left out: " in capsys.readouterr().err
    assert [each["strategy"] for each in lines(file)] == ["random"]


def test_versions_change_with_what_code_does_and_with_nothing_else():
    assert meaning('"""A."""\nx = 1  # one\n') == meaning('"""B."""\n\nx = (\n    1\n)\n')
    assert meaning("x = 1") != meaning("x = 2")
    assert code_version(["loop.scores"]) != code_version(["loop.scores"], ["loop.calibration"])
    trees, linear = map(strategies.version, ("scikit-trees-greedy", "linear-thompson-urs"))
    assert trees != linear


def test_every_strategy_has_a_name_that_is_accepted():
    for name in strategies.names():
        strategies.check(name)
        assert len(strategies.version(name)) == 12
    for peer in strategies.PEERS.values():
        assert callable(peer.load())


def test_peers_are_imported_when_they_are_run():
    code = (
        "import sys, benchmarks.decision_quality, benchmarks.decisions.peers.botorch_gp\n"
        "print([m for m in ('torch', 'sklearn', 'matplotlib', 'rdkit') if m in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert run.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize("name", SCREENS)
def test_every_screen_of_the_catalogue_can_be_asked(name):
    entry = SCREENS[name]
    if missing_files(entry, SHARED):
        pytest.skip(f"{SHARED} does not hold {entry.table}")
    ready = prepare(entry, SHARED, Compute(threads=1)).replay
    plan = entry.plan
    assert ready.asked.hits.sum() > 20
    assert plan.start + plan.rounds * plan.batch < len(ready.screen.values)
    assert len(ready.prior) == len(entry.prior)
    assert bool(ready.representations.known.any()) == bool(entry.embeddings or entry.drugs)
