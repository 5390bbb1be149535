"""Uniform choice."""

import subprocess
import sys

import numpy as np
import pytest

from acquisition.rules.uniform import Uniform
from loop.domain.errors import NotEnoughCandidatesError
from loop.ports.arrays import BoolArray, Combinations, IntArray
from tests.acquisition.asking import ask
from tests.acquisition.small_space import SmallSpace


class _HugeSpace(SmallSpace):
    """10^12 addresses; the small space's pairs over and over."""

    def __len__(self) -> int:
        return 10**12

    def on_offer(self) -> int:
        return 10**12

    def unrank(self, addresses: IntArray) -> Combinations:
        return super().unrank(np.asarray(addresses) % 72)

    def permitted(self, combinations: Combinations) -> BoolArray:
        return np.ones(len(combinations), dtype=np.bool_)


def test_it_loads_no_torch() -> None:
    code = "import sys, acquisition.rules.uniform; print('torch' in sys.modules)"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    assert said.stdout.strip() == b"False"


@pytest.mark.parametrize("size", [3, 50])
def test_every_candidate_has_the_same_chance(size: int) -> None:
    asked, rng = ask(size=size), np.random.default_rng(0)
    seen = np.zeros(72)
    rounds = 600

    for _ in range(rounds):
        seen[Uniform().choose(asked, rng).addresses] += 1

    chance = size / 64
    sd = np.sqrt(rounds * chance * (1 - chance))
    offered = np.setdiff1d(np.arange(72), [*asked.taken.tolist(), 0, 36])
    assert seen.sum() == seen[offered].sum()
    assert abs(seen[offered] - rounds * chance).max() < 4.5 * sd


def test_a_space_of_10_12_is_never_listed() -> None:
    asked = ask(space=_HugeSpace(), size=500, taken=np.arange(0, 10_000))

    chosen = Uniform().choose(asked, np.random.default_rng(0)).addresses

    assert len(set(chosen.tolist())) == 500
    assert chosen.max() > 10**11


def test_max_uses_is_honoured_until_nothing_fits() -> None:
    for seed in range(30):
        chosen = Uniform().choose(ask(size=4, max_uses=1), np.random.default_rng(seed))
        components = SmallSpace().unrank(chosen.addresses).components
        assert np.bincount(components.ravel()).max() == 1

    with pytest.raises(NotEnoughCandidatesError, match="max_uses = 1 left room for 4"):
        Uniform().choose(ask(size=5, max_uses=1), np.random.default_rng(0))


def test_the_reason_says_among_how_many() -> None:
    chosen = Uniform().choose(ask(), np.random.default_rng(0))

    assert chosen.reasons[0] == "Drawn uniformly at random from 64 candidates."


def test_a_candidate_drawn_twice_is_counted_once() -> None:
    components = SmallSpace().unrank(np.setdiff1d(np.arange(72), ask().taken)).components
    most = int(np.bincount(components.ravel()).max())

    chosen = Uniform().choose(ask(size=64, max_uses=most), np.random.default_rng(0))

    assert len(set(chosen.addresses.tolist())) == 64
