"""Scans of the surrogates that know tiles, against the same surrogates asked one by one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from acquisition.belief.beliefs import MemberBeliefs, beliefs_of
from acquisition.belief.marginals import Marginals
from acquisition.belief.member_rater import MemberRater
from acquisition.limits.keeper import Keeper
from acquisition.limits.offer import Gate, Survey
from acquisition.scan import Scan
from acquisition.scanning.found import Found, Keeping, merge
from acquisition.scanning.pool import Pool
from acquisition.scanning.sweep import Sweep
from loop.contracts.surrogate import observations, problem
from loop.domain.goal import Goal, Readout
from loop.ports.arrays import Combinations
from loop.ports.engine import BatchRequest, Compute, Limits, silent
from loop.space import VirtualSpace
from surrogate.additive_low_rank import AdditiveLowRank
from surrogate.ensemble import Ensemble
from surrogate.gaussian_process import GaussianProcess
from surrogate.linear import Linear

SURROGATES = [Ensemble, GaussianProcess, Linear, AdditiveLowRank]
SPACE = VirtualSpace([2] * 5 + [1] * 4, 2, (0, 1, 2, 3), [(0, 1), (3, 5, 6)])
TAKEN = np.arange(0, len(SPACE), 9)


class Untiled:
    """A surrogate that keeps its tiles to itself."""

    def __init__(self, surrogate: Any) -> None:
        self.member_means: Callable[[Combinations], Tensor] = surrogate.member_means
        self.noise_sd: Callable[[], Tensor] = surrogate.noise_sd


@pytest.fixture(scope="module", params=SURROGATES)
def surrogate(request: pytest.FixtureRequest) -> Any:
    fitted = request.param(problem())
    fitted.fit(observations(40), np.random.default_rng(0))
    return fitted


def bound(asked: tuple[Marginals, ...]) -> Tensor:
    return asked[0].mean + 0.5 * asked[1].epistemic_sd


def each_member(asked: tuple[Marginals, ...]) -> Tensor:
    return asked[0].means


def scanned(surrogate: Any, precision: str = "float32", size: int = 50) -> Pool:
    scan = Scan(Survey(len(SPACE), 10**6, 0), 100, 4, bound, each_member, precision)
    nothing = SPACE.unrank(np.empty(0, dtype=np.int64))
    readouts = (Readout("gi"), Readout("growth"))
    request = BatchRequest(
        SPACE,
        TAKEN,
        surrogate,
        Goal.MAXIMIZE,
        readouts,
        None,
        nothing,
        4,
        {},
        compute=Compute(threads=2),
    )
    beliefs = beliefs_of(surrogate, 16, 0, 1, (0, 1))
    return scan.best(request, beliefs, TAKEN, Keeper(Limits(), 4), size, silent)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_scan_by_tiles_gives_the_pool_of_one_without(surrogate: Any, precision: str) -> None:
    tiled, untiled = scanned(surrogate, precision), scanned(Untiled(surrogate))

    best, expected = tiled.ranks > 0, untiled.ranks > 0
    assert tiled.scanned == untiled.scanned
    assert best.sum() == expected.sum() == 50
    assert len(np.intersect1d(tiled.addresses, untiled.addresses)) >= 0.99 * len(untiled)
    np.testing.assert_allclose(tiled.utilities[best], untiled.utilities[expected], rtol=1e-5)


def sweep_of(surrogate: Any, threads: int) -> Sweep:
    tiling = MemberBeliefs(surrogate, 1, (0, 1)).tiling(SPACE, "float32")
    assert tiling is not None
    gate = Gate(SPACE, TAKEN, Keeper(Limits()))
    rater = MemberRater(tiling, bound, each_member)
    return Sweep(SPACE, rater, gate, Keeping(100, 20, 4), threads)


def bits(found: Found) -> list[tuple[list[int], bytes]]:
    return [(each.addresses.tolist(), each.utilities.tobytes()) for each in found.lists]


def test_neither_threads_nor_shards_change_a_bit(surrogate: Any) -> None:
    expected = bits(sweep_of(surrogate, 1).over())
    blocks = len(sweep_of(surrogate, 1).blocks)
    middle = blocks // 2

    assert bits(sweep_of(surrogate, 3).over()) == expected
    parts = [sweep_of(surrogate, 2).over(part) for part in (range(middle, blocks), range(middle))]
    assert bits(merge(parts, Keeping(100, 20, 4))) == expected


def test_one_rater_used_twice_says_the_same_the_second_time(surrogate: Any) -> None:
    sweep = sweep_of(surrogate, 1)

    first = bits(sweep.over(range(len(sweep.blocks) - 1, len(sweep.blocks))))
    sweep.over()

    assert bits(sweep.over(range(len(sweep.blocks) - 1, len(sweep.blocks)))) == first
