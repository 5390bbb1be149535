import time

import numpy as np
import pytest

from loop.representation.near_duplicates import near_duplicates


@pytest.mark.parametrize("columns", [3, 64, 200])
@pytest.mark.parametrize("sign", [False, True])
def test_no_pair_is_missed_or_made_up(columns, sign):
    rng = np.random.default_rng(columns)
    rows = rng.normal(size=(1100, columns))
    rows = np.abs(rows) if sign else rows
    rows[700] = rows[3] * 5
    rows[1099] = rows[512] + 1e-3 * rng.normal(size=columns)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    truth = np.argwhere(np.triu(unit @ unit.T > 0.999, 1))

    found = near_duplicates(rows, 0.999, 10_000)

    assert found.count == len(truth) >= 2
    assert set(map(tuple, found.first.tolist())) == set(map(tuple, truth.tolist()))


def test_only_the_first_few_are_told():
    found = near_duplicates(np.ones((600, 70)), 0.999, 4)
    assert found.count == 600 * 599 // 2
    assert found.first.tolist() == [[0, 1], [0, 2], [0, 3], [0, 4]]


def test_nothing_has_no_duplicates():
    assert near_duplicates(np.zeros((0, 5)), 0.999, 5).count == 0


@pytest.mark.slow
def test_twenty_thousand_rows_take_seconds():
    rows = np.random.default_rng(0).normal(size=(20_000, 544))
    start = time.process_time()
    near_duplicates(rows, 0.999, 5)
    assert time.process_time() - start < 30
