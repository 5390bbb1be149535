import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from loop.contracts.surrogate import observations, problem
from surrogate import checkpoint as module
from surrogate.checkpoint import Checkpoint, Moment, fingerprint
from surrogate.ensemble import Ensemble

FILE = "training.safetensors"


def fitted(folder, progress=lambda *_: None, seed=1, count=20, **settings):
    ensemble = Ensemble(replace(problem(members=4, steps=60, **settings), checkpoint=folder))
    ensemble.fit(observations(count), np.random.default_rng(seed), progress)
    return ensemble.state()


def same(one, other):
    return one.settings == other.settings and all(
        np.array_equal(array, other.arrays[name], equal_nan=True)
        for name, array in one.arrays.items()
    )


class StoppedError(Exception):
    pass


def stop_at(share):
    def progress(done, _):
        if done >= share:
            raise StoppedError

    return progress


@pytest.fixture
def every_step(monkeypatch):
    monkeypatch.setattr(module, "_SECONDS", 0.0)
    monkeypatch.setattr(module, "_SHARE", 1e9)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_training_killed_midway_goes_on_and_ends_exactly_where_it_would_have(tmp_path):
    def process(name):
        words = (sys.executable, "-m", "tests.surrogate.long_training")
        return subprocess.Popen([*words, str(tmp_path / name), str(tmp_path / f"{name}.txt")])

    assert process("whole").wait() == 0
    whole = (tmp_path / "whole.txt").read_text().split(maxsplit=1)
    killed = process("killed")
    while not (tmp_path / "killed" / FILE).exists():
        assert killed.poll() is None, "it ended before it could be killed"
        time.sleep(0.05)
    killed.kill()
    killed.wait()
    assert not (tmp_path / "killed.txt").exists()

    assert process("killed").wait() == 0

    again = (tmp_path / "killed.txt").read_text().split(maxsplit=1)
    assert again[1] == whole[1]
    assert not list((tmp_path / "killed").iterdir())


def test_a_stopped_training_goes_on_from_its_last_moment(tmp_path, every_step):
    shares = []
    whole = fitted(None)
    with pytest.raises(StoppedError):
        fitted(tmp_path, stop_at(0.5))

    again = fitted(tmp_path, lambda share, _: shares.append(share))

    assert 0.5 < shares[0] < 0.6
    assert same(again, whole)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("other", [{"seed": 2}, {"count": 21}, {"learning_rate": 0.004}])
def test_the_moment_of_another_training_is_passed_over(tmp_path, every_step, other):
    shares = []
    with pytest.raises(StoppedError):
        fitted(tmp_path, stop_at(0.5))

    again = fitted(tmp_path, lambda share, _: shares.append(share), **other)

    assert shares[0] == 1 / 60
    assert same(again, fitted(None, **other))
    assert not list(tmp_path.iterdir())


def test_the_parent_is_part_of_what_a_training_is(tmp_path, every_step):
    asked = replace(problem(members=4, steps=60), checkpoint=tmp_path)
    shares = []

    def warm(seed, progress):
        ensemble = Ensemble(asked)
        ensemble.restore(fitted(None, seed=seed))
        ensemble.fit(observations(30), np.random.default_rng(9), progress)

    with pytest.raises(StoppedError):
        warm(1, stop_at(0.5))
    warm(2, lambda share, _: shares.append(share))

    assert shares[0] == 1 / 30


def test_a_damaged_file_is_passed_over(tmp_path):
    (tmp_path / FILE).write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{broken")

    assert same(fitted(tmp_path), fitted(None))


def test_training_goes_on_without_checkpoints_where_none_can_be_written(tmp_path, every_step):
    (tmp_path / "file").write_text("in the way")
    told = []

    state = fitted(tmp_path / "file", lambda _, doing: told.append(doing))

    assert same(state, fitted(None))
    assert "no checkpoint" in told[-2]


def test_keeping_moments_takes_a_small_share_of_the_time(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    kept = []

    def slow(tensors, path, metadata):
        kept.append(clock[0])
        clock[0] += 0.5
        path.write_bytes(b"")

    monkeypatch.setattr(module, "save_file", slow)
    moment = Moment(torch.nn.Linear(1, 1), _NoOptimiser(), torch.Generator())
    checkpoint = Checkpoint(tmp_path, "x")

    for _ in range(1_000):
        clock[0] += 0.1
        checkpoint.keep(moment)

    assert 0.5 * len(kept) <= 0.03 * clock[0]
    assert len(kept) > 1


class _NoOptimiser:
    first = ()
    second = ()


def test_a_fingerprint_tells_shapes_types_and_order_apart():
    things = [
        np.zeros((2, 3)),
        np.zeros((3, 2)),
        np.zeros((2, 3), dtype=np.float32),
        {"a": 1, "b": 2},
        {"a": 2, "b": 1},
        (1, 2),
        (2, 1),
        "1",
        1,
        True,
        None,
    ]

    assert len({fingerprint(each) for each in things}) == len(things)
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
