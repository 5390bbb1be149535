"""Earlier screens in a replay: the right one helps at once, a shuffled one costs little."""

from dataclasses import replace

import numpy as np
import pytest

from loop.ports.arrays import PriorScreen
from loop.replay.campaign import Plan, Replay
from loop.replay.question import Asked
from tests.loop.replay.synthetic import GENES, asked, replay, screen, strategy

PLAN = Plan(start=24, rounds=3, batch=16, audit=0.1)


@pytest.fixture(scope="module")
def question() -> Asked:
    return asked(screen())


def earlier(noise: float, shuffled: bool = False) -> PriorScreen:
    """The same pairs in another line, with noise of its own."""
    whole, rng = screen(), np.random.default_rng(21)
    values = 5.0 + 3.0 * (whole.values + rng.normal(scale=noise, size=len(whole.values)))
    if shuffled:
        values = rng.permutation(values)
    at = {name: place for place, name in enumerate(whole.perturbagens)}
    positions = np.array([at[name] for name in GENES])
    return PriorScreen("earlier", whole.combinations, values, whole.doses, positions)


def informed(question: Asked, *priors: PriorScreen) -> Replay:
    plain = replay(screen(), question, PLAN)
    return Replay(plain.screen, question, plain.representations, PLAN, plain.compute, tuple(priors))


def hits(run: Replay, surrogate: str = "linear") -> np.ndarray:
    """Hits after each round, summed over four seeds."""
    runs = [run.run(strategy(surrogate, "auto"), seed) for seed in range(4)]
    return np.sum([[line.hits for line in each.rounds] for each in runs], axis=0)


def test_the_right_screen_makes_a_better_first_batch(question):
    told, alone = hits(informed(question, earlier(0.5))), hits(informed(question))

    assert told[0] > 2 * alone[0]
    assert told[-1] >= alone[-1]


def test_a_shuffled_screen_costs_little_after_two_rounds(question):
    misled, alone = hits(informed(question, earlier(0.5, True))), hits(informed(question))

    assert misled[2] >= 0.8 * alone[2]


def test_of_the_first_wells_a_quarter_is_drawn_by_lot_and_judges(question):
    ready = informed(question, earlier(0.5))

    addresses, by_lot = ready._first(
        strategy("linear", "auto"), _acquisition(), 0, np.random.default_rng(0)
    )

    assert by_lot.sum() == 6
    assert len(np.unique(addresses)) == 24


@pytest.mark.parametrize("names", [("random", "auto"), ("linear", "random")])
def test_what_goes_by_lot_starts_by_lot(question, names):
    told = informed(question, earlier(0.5)).run(strategy(*names), 3)
    alone = informed(question).run(strategy(*names), 3)

    np.testing.assert_array_equal(told.addresses[:24], alone.addresses[:24])


def test_the_earlier_screens_unit_does_not_matter(question):
    plain = earlier(0.5)
    other = replace(plain, values=-4.0 + 0.001 * plain.values)

    first, second = (
        informed(question, each).run(strategy("linear", "auto"), 1) for each in (plain, other)
    )

    np.testing.assert_array_equal(first.addresses, second.addresses)


def _acquisition():
    from loop import plugins

    return plugins.acquisition("auto")
