"""Looking at few candidates finds what looking at all would find."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from acquisition.choosing.chooser import LazyChooser, PlainChooser, chooser
from acquisition.choosing.contributions import Scale
from acquisition.choosing.gains import FixedGains
from acquisition.choosing.weighing import Weighing
from acquisition.rules.expected_improvement import ImprovementGains
from acquisition.rules.max_variance import VarianceGains
from acquisition.scanning.sweep import one_thread_in_torch
from loop.domain.errors import IncompatibleError


class _Counted(ImprovementGains):
    looked_at = 0

    def values_at(self, positions: np.ndarray) -> np.ndarray:
        self.looked_at += len(positions)
        return super().values_at(positions)


def _draws(seed: int, members: int, candidates: int, copies: bool) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(members, 3)) @ rng.normal(size=(3, candidates))
    draws = 0.3 * shared + rng.normal(size=candidates)
    if copies:  # some candidates are exactly alike
        draws[:, candidates // 2 :] = draws[:, : candidates - candidates // 2]
    return torch.from_numpy(draws)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    members=st.sampled_from([1, 7, 33]),
    candidates=st.integers(1, 150),
    best=st.floats(-3, 6),
    copies=st.booleans(),
    single=st.booleans(),
    priced=st.booleans(),
)
def test_lazy_and_plain_choices_are_the_same_to_the_last_pick(
    seed: int,
    members: int,
    candidates: int,
    best: float,
    copies: bool,
    single: bool,
    priced: bool,
) -> None:
    draws = _draws(seed, members, candidates, copies)
    draws = draws.float() if single else draws
    charges = np.random.default_rng(seed).uniform(0, 3, candidates) if priced else None
    weigh = Weighing(Scale.LOG, 0.0, 0.0, None, charges)
    chosen = []
    for kind in (LazyChooser, PlainChooser):
        gains = ImprovementGains(draws[:, :2], draws, best)
        contest, left, picks = kind(gains, weigh), np.ones(candidates, dtype=np.bool_), []
        for _ in range(min(candidates, 10)):
            position, gain = contest.best(left)
            gains.add(position)
            left[position] = False
            picks.append((position, round(gain, 9)))
        chosen.append(picks)

    assert chosen[0] == chosen[1]


def test_few_candidates_are_looked_at() -> None:
    draws = _draws(1, 64, 20_000, copies=False)
    gains = _Counted(draws[:, :0], draws, float(draws.mean(dim=0).quantile(0.999)))
    contest, left = LazyChooser(gains), np.ones(20_000, dtype=np.bool_)

    for _ in range(32):
        position, _ = contest.best(left)
        gains.add(position)
        left[position] = False

    assert gains.looked_at < 20_000


def test_the_earlier_of_equals_wins_even_where_rounding_parts_them() -> None:
    gains = FixedGains(np.array([0.0, 1.0 - 1e-14, 1.0, 1.0]))

    assert PlainChooser(gains).best(np.ones(4, dtype=np.bool_))[0] == 1


def test_a_gain_that_says_never_is_taken_last_but_before_what_is_not_allowed() -> None:
    gains = FixedGains(np.array([-np.inf, -np.inf, 5.0]))

    assert PlainChooser(gains).best(np.array([False, True, False])) == (1, -np.inf)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_gains_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(IncompatibleError, match="not finite numbers"):
        PlainChooser(FixedGains(np.array([0.0, bad]))).best(np.ones(2, dtype=np.bool_))


def test_small_steps_leave_the_number_of_threads_as_it_was() -> None:
    before = torch.get_num_threads()

    def fail() -> None:
        with one_thread_in_torch():
            raise KeyError(torch.get_num_threads())

    with pytest.raises(KeyError, match="1"):
        fail()
    assert torch.get_num_threads() == before


def test_the_chooser_is_lazy_where_gains_shrink() -> None:
    draws = _draws(1, 4, 5, copies=False)

    assert isinstance(chooser(ImprovementGains(draws, draws, 0.0)), LazyChooser)
    assert isinstance(chooser(VarianceGains(1.0, draws, draws)), PlainChooser)
