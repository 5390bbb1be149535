"""Pareto: exact gains in hypervolume, by hand, by inclusion and exclusion, and by BoTorch."""

import re
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from botorch.acquisition.multi_objective import logei
from botorch.acquisition.multi_objective.monte_carlo import (
    qNoisyExpectedHypervolumeImprovement,
)
from botorch.exceptions.warnings import NumericsWarning
from botorch.models.ensemble import EnsembleModel
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from acquisition.rules.front_gains import FrontGains, front_of
from acquisition.rules.pareto import Pareto, standing_out
from loop.domain.errors import InvalidError
from loop.domain.goal import Direction, Goal, Readout
from loop.ports.engine import BatchRequest
from tests.acquisition.asking import ask
from tests.acquisition.every_member import EveryMember
from tests.acquisition.linear_draws import ModelOnly
from tests.acquisition.several_readouts import SeveralReadouts, observed, two_processes

VALUES = np.array([[1.0, -2.0, 0.5], [-1.0, 1.5, 0.0], [0.0, 0.0, 2.0], [-2.0, -2.5, -1.0]])


def front_question(
    scales: tuple[float, ...] = (1.0, 1.0), directions: str = "up up", **changes: Any
) -> BatchRequest:
    """Four of the small space with several readouts; what was observed is scaled along."""
    names = "abc"
    fields: dict[str, Any] = {
        "surrogate": SeveralReadouts(scales),
        "readouts": tuple(
            Readout(names[at], direction=Direction(each))
            for at, each in enumerate(directions.split())
        ),
        "training": observed(VALUES[:, : len(scales)], scales, [7, 8, 20, 71]),
        "settings": {"draws": 6},  # the members as they are
    }
    return ask(Goal.PARETO, **(fields | changes))


class _Table(EnsembleModel):
    """Draws by row number: values have shape (S, rows, R), X holds row numbers."""

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self._values = values
        self._num_outputs = values.shape[-1]

    def forward(self, X: Tensor) -> Tensor:  # noqa: N803
        return self._values[:, X[..., 0].long()].movedim(0, -3)


def _volume(points: np.ndarray, worst: np.ndarray) -> float:
    """Hypervolume by inclusion and exclusion."""
    total = 0.0
    for count in range(1, len(points) + 1):
        for some in combinations(points, count):
            sides = np.clip(np.min(some, axis=0) - worst, 0, None)
            total += (-1) ** (count + 1) * float(sides.prod())
    return total


def test_a_gain_is_what_a_hand_works_out() -> None:
    """Observed (1, 2) and (2, 1) above (0, 0) dominate 3; two draws of two candidates."""
    pool = torch.tensor([[[2.0, 2.0], [0.5, 3.0]], [[1.0, 1.0], [3.0, 0.5]]]).double()
    observed_values = np.array([[1.0, 2.0], [2.0, 1.0], [0.5, 0.5]])
    gains = FrontGains(observed_values, np.zeros(2), pool[:, :0], pool)

    # (2, 2) adds 1 and (1, 1) nothing; (0.5, 3) adds 0.5 and (3, 0.5) adds 0.5.
    assert gains.values() == pytest.approx([0.5, 0.5])

    gains.add(0)
    assert gains.values() == pytest.approx([0.0, 0.5])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), readouts=st.integers(2, 4))
def test_every_gain_is_the_growth_of_the_volume_in_every_draw(seed: int, readouts: int) -> None:
    rng = np.random.default_rng(seed)
    seen = rng.normal(size=(4, readouts))
    draws = torch.from_numpy(rng.normal(size=(3, 6, readouts)))
    before, pool, worst = draws[:, :1], draws[:, 1:], np.full(readouts, -1.0)
    gains = FrontGains(seen, worst, before, pool)
    fronts = [np.vstack([seen, each.numpy()]) for each in before]

    for pick in (2, 4, 0):
        exact = [
            np.mean(
                [
                    _volume(np.vstack([front, draw[at].numpy()]), worst) - _volume(front, worst)
                    for front, draw in zip(fronts, pool, strict=True)
                ]
            )
            for at in range(5)
        ]
        assert gains.values() == pytest.approx(exact, abs=1e-9)
        gains.add(pick)
        fronts = [
            np.vstack([front, draw[pick].numpy()]) for front, draw in zip(fronts, pool, strict=True)
        ]


def _by_botorch(
    make: type, table: Tensor, worst: np.ndarray
) -> qNoisyExpectedHypervolumeImprovement:
    """BoTorch's own function over a table whose first six rows are what was observed."""
    return make(
        _Table(table),
        worst.tolist(),
        torch.arange(6.0).double()[:, None],
        sampler=EveryMember(len(table)),
        prune_baseline=False,
        cache_root=False,
    )


@pytest.mark.parametrize("readouts", [2, 3])
def test_a_greedy_batch_is_worth_what_botorch_says_of_it(
    readouts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the last digits of qNEHVI, and within its smoothing of qLogNEHVI."""
    monkeypatch.setattr(logei, "_load_attempted", True)  # else it compiles a kernel
    rng = np.random.default_rng(5)
    seen, worst = rng.normal(size=(6, readouts)), np.full(readouts, -2.0)
    pool = torch.from_numpy(rng.normal(size=(8, 20, readouts)))
    gains = FrontGains(seen, worst, pool[:, :0], pool)
    table = torch.cat([torch.from_numpy(seen).expand(8, -1, -1), pool], dim=1)
    with pytest.warns(NumericsWarning):
        exact = _by_botorch(qNoisyExpectedHypervolumeImprovement, table, worst)
    smooth = _by_botorch(logei.qLogNoisyExpectedHypervolumeImprovement, table, worst)
    rows = torch.arange(6.0, 26.0).double()[:, None]

    chosen, worth = list[int](), 0.0
    for _ in range(4):
        values = gains.values()
        if chosen:
            exact.set_X_pending(rows[chosen])
            smooth.set_X_pending(rows[chosen])
        assert values == pytest.approx(exact(rows[:, None]).numpy(), abs=1e-9)
        assert values == pytest.approx(smooth(rows[:, None]).exp().numpy(), rel=0.02, abs=0.02)
        chosen.append(int(values.argmax()))
        worth += float(values.max())
        gains.add(chosen[-1])

    with pytest.warns(NumericsWarning):
        whole = _by_botorch(qNoisyExpectedHypervolumeImprovement, table, worst)
    assert worth == pytest.approx(float(whole(rows[chosen][None])))


def test_the_front_holds_what_nothing_dominates() -> None:
    values = np.array([[1.0, 2.0], [2.0, 1.0], [1.0, 1.0], [2.0, 1.0], [0.0, 3.0]])

    assert front_of(values).tolist() == [[2.0, 1.0], [1.0, 2.0], [0.0, 3.0]]


def test_standing_out_is_how_far_a_value_has_to_fall_to_be_dominated() -> None:
    front = torch.tensor([[1.0, 2.0], [2.0, 1.0]])
    values = torch.tensor([[2.0, 2.0], [1.5, 1.5], [0.0, 0.0], [1.0, 4.0]])

    assert standing_out(values, front).tolist() == [1.0, 0.5, -1.0, 2.0]


@pytest.mark.parametrize(
    ("scales", "directions"), [((1.0, 1.0), "up up"), ((1.0,) * 3, "up up up")]
)
def test_the_batch_is_that_of_a_greedy_choice_over_everything(
    scales: tuple[float, ...], directions: str
) -> None:
    asked = front_question(scales, directions)
    every = np.arange(len(asked.space))
    on_offer = np.setdiff1d(every[asked.space.permitted(asked.space.unrank(every))], asked.taken)
    assert asked.training is not None
    seen = asked.training.values
    low, span = seen.min(axis=0), np.ptp(seen, axis=0)
    draws = (asked.surrogate.member_means(asked.space.unrank(on_offer)).numpy() - low) / span
    pending = (asked.surrogate.member_means(asked.pending).numpy() - low) / span
    worst = np.full(len(scales), -0.1)
    fronts = [np.vstack([front_of((seen - low) / span), each]) for each in pending]

    chosen = Pareto().choose(asked, np.random.default_rng(0))

    for address, score in zip(chosen.addresses, chosen.scores, strict=True):
        growth = [
            np.mean(
                [
                    _volume(front_of(np.vstack([front, draw[at]])), worst)
                    - _volume(front_of(front), worst)
                    for front, draw in zip(fronts, draws, strict=True)
                ]
            )
            for at in range(len(on_offer))
        ]
        assert score == pytest.approx(max(growth))
        at = int(np.flatnonzero(on_offer == address)[0])
        assert growth[at] == pytest.approx(max(growth))
        fronts = [np.vstack([front, draw[at]]) for front, draw in zip(fronts, draws, strict=True)]


def test_turning_and_rescaling_a_readout_changes_nothing() -> None:
    one = Pareto().choose(front_question(), np.random.default_rng(0))
    two = Pareto().choose(
        front_question((1.0, -64.0), directions="up down"), np.random.default_rng(0)
    )

    assert one.addresses.tolist() == two.addresses.tolist()
    assert one.scores == pytest.approx(two.scores)


def test_a_model_without_members_is_asked_through_its_posterior() -> None:
    asked = front_question(surrogate=ModelOnly(two_processes([1.0, 1.0])))

    chosen = Pareto().choose(asked, np.random.default_rng(0))

    assert len(set(chosen.addresses.tolist())) == 4
    assert (np.diff(chosen.scores) <= 1e-12).all()


def test_reasons_say_in_which_readouts_a_choice_is_better() -> None:
    chosen = Pareto().choose(front_question(), np.random.default_rng(0))

    whole = r"Predicted .* of a, .* ± .* of b, better in a( and worse in b| and b) than the nearest"
    assert re.match(whole, chosen.reasons[0])


def test_observations_without_all_readouts_are_left_out() -> None:
    asked = front_question()
    assert asked.training is not None
    holes = asked.training.values.copy()
    holes[:3, 0] = np.nan
    fewer = replace(asked, training=asked.training[np.array([3])])

    one = Pareto().choose(
        replace(asked, training=replace(asked.training, values=holes)), np.random.default_rng(0)
    )
    two = Pareto().choose(fewer, np.random.default_rng(0))

    assert one.addresses.tolist() == two.addresses.tolist()


def test_what_a_front_cannot_be_made_of_is_refused() -> None:
    with pytest.raises(InvalidError, match="the campaign has 1; add a second"):
        Pareto().choose(front_question((1.0,), "up"), np.random.default_rng(0))
    with pytest.raises(InvalidError, match=r"'b' has direction 'both', .* 'up' or 'down'"):
        Pareto().choose(front_question(directions="up both"), np.random.default_rng(0))
    with pytest.raises(InvalidError, match=r"observed in all of 'a' and 'b'.*'space-filling'"):
        Pareto().choose(front_question(training=None), np.random.default_rng(0))
    with pytest.raises(InvalidError, match="only 'pareto'"):
        Pareto().choose(ask(Goal.MAXIMIZE), np.random.default_rng(0))
