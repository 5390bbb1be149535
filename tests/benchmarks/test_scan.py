"""The sides of `benchmarks/scan.py` compute the same before they are timed."""

import numpy as np
import pytest
import torch

from benchmarks.scanning.memory import forget_peak, resident
from benchmarks.scanning.peak import gemm_peak
from benchmarks.scanning.peers import PairNetwork, looped, stacked
from benchmarks.scanning.screens import POOL, Ready, Screen


def test_a_loop_over_members_and_vmap_predict_the_same() -> None:
    networks = [PairNetwork(7, 8) for _ in range(3)]
    pairs = torch.tensor([[0, 1], [2, 6], [3, 4]])

    with torch.no_grad():
        loop, together = looped(networks)(pairs), stacked(networks)(pairs)

    assert loop.shape == (3, 3)
    torch.testing.assert_close(loop, together)


@pytest.mark.slow
def test_scans_by_tiles_and_by_rows_find_the_same_pool() -> None:
    ready = Ready(Screen(120))

    tiled, by_rows = ready.scan(2), ready.scan(1, tiles=False)

    assert tiled.scanned == by_rows.scanned == len(ready.space) == 7_140
    assert len(tiled) == len(by_rows) == POOL
    assert len(np.intersect1d(tiled.addresses, by_rows.addresses)) >= POOL - 2
    np.testing.assert_allclose(tiled.utilities, by_rows.utilities, rtol=1e-4, atol=1e-5)


def test_memory_that_is_taken_shows_in_the_peak_until_it_is_forgotten() -> None:
    before = resident()
    held = np.ones(2**24)
    taken = resident("VmHWM")
    size = held.nbytes
    del held
    forget_peak()

    assert taken - before > 0.9 * size
    assert resident("VmHWM") < taken


@pytest.mark.slow
def test_the_peak_is_a_rate_that_a_machine_can_have() -> None:
    assert 1e8 < gemm_peak(torch.float32, "cpu") < 1e15
