"""What a peer is told, what it is asked, and how it is run through the lab seam of replays."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from loop.domain.errors import IncompatibleError
from loop.domain.goal import Goal, Readout
from loop.ports.arrays import (
    BoolArray,
    Combinations,
    FloatArray,
    IntArray,
    Representations,
    TrainingSet,
)
from loop.ports.engine import Compute
from loop.replay.campaign import MeasuredLab, Replay
from loop.space import draw


@dataclass(frozen=True, slots=True)
class PeerProblem:
    """All that a peer is told beforehand; no measured value is in it.

    Attributes:
        combinations: The N candidates, by address.
        representations: What our surrogates are given, too.
        goal: What is looked for.
        readout: With the thresholds that our acquisitions know, too.
        compute: Where to compute.
        deadline: `time.monotonic()` after which it should give up with `RanOutOfTimeError`.
    """

    combinations: Combinations
    representations: Representations
    goal: Goal
    readout: Readout
    compute: Compute
    deadline: float = float("inf")

    def seconds_left(self) -> float:
        """Until the deadline; negative past it."""
        return self.deadline - time.monotonic()


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a peer predicts of one new measurement of each candidate, each of shape (N,)."""

    mean: FloatArray
    sd: FloatArray


class Peer(Protocol):
    """A way to choose wells that is not ours."""

    def learn(self, measured: TrainingSet, addresses: IntArray, rng: np.random.Generator) -> None:
        """Take in everything measured so far: n wells and their addresses, shape (n,)."""
        ...

    def choose(self, left: BoolArray, size: int, rng: np.random.Generator) -> IntArray:
        """Distinct addresses, shape (size,), among those that are `left`, shape (N,)."""
        ...

    def forecast(self) -> Forecast | None:
        """Predictions in the readout's unit, as they come; None if it has none in that unit."""
        ...


PeerFactory = Callable[[PeerProblem], Peer]


class RanOutOfTimeError(Exception):
    """A peer did not finish within its time."""


def desire(values: FloatArray, goal: Goal, readout: Readout) -> FloatArray:
    """What a peer that maximises one number is given: the larger, the better; shape (n,).

    Two-sided hits: the distance from the median of what was measured. Evidence C does the same.
    """
    if is_two_sided(goal, readout):
        distance: FloatArray = np.abs(values - np.median(values))
        return distance
    return sign_of(goal, readout) * values


def is_two_sided(goal: Goal, readout: Readout) -> bool:
    """Whether hits lie on both sides, so that no single readout value is to be maximised."""
    return goal is Goal.FIND_HITS and bool(np.isfinite(readout.low) and np.isfinite(readout.high))


def sign_of(goal: Goal, readout: Readout) -> float:
    """1 where large values are wanted, -1 where small ones are."""
    if goal is Goal.FIND_HITS:
        return -1.0 if np.isfinite(readout.low) else 1.0
    return -1.0 if goal is Goal.MINIMIZE else 1.0


def first_wells(replay: Replay, seed: int) -> IntArray:
    """The wells that a replay without a prior measures first with this seed."""
    nothing = np.zeros(0, dtype=np.int64)
    drawn: IntArray = draw(
        replay.space, replay.plan.start, nothing, np.random.default_rng([seed])
    ).addresses
    return drawn


@dataclass(frozen=True, slots=True)
class PeerRound:
    """Wells measured so far, what was forecast after them, and the seconds that took."""

    wells: int
    forecast: Forecast | None
    seconds_propose: float
    seconds_retrain: float


def run_peer(
    replay: Replay,
    make: PeerFactory,
    seed: int,
    deadline: float,
    after: Callable[[IntArray, PeerRound], None],
) -> IntArray:
    """Run a peer as a campaign, and give the addresses in the order measured.

    It measures the same first wells as a replay of ours with the same seed, and gets values of
    chosen wells only. All its later wells are of its own choice: it spends none on audit.
    `after` is called with the addresses so far and the round.

    Raises:
        RanOutOfTimeError: If the deadline passes.
        IncompatibleError: If it cannot serve this screen, or chooses what it must not.
    """
    asked, screen = replay.asked, replay.screen
    peer = make(
        PeerProblem(
            screen.combinations,
            replay.representations,
            asked.goal,
            asked.readout,
            replay.compute,
            deadline,
        )
    )
    lab = MeasuredLab(screen)
    addresses = first_wells(replay, seed)
    left = np.ones(len(replay.space), dtype=np.bool_)
    seconds = 0.0
    for number in range(replay.plan.rounds + 1):
        if number:
            start = time.perf_counter()
            chosen = peer.choose(left.copy(), replay.plan.batch, _stream(seed, number, 0))
            seconds = time.perf_counter() - start
            _check(chosen, left, replay.plan.batch)
            addresses = np.concatenate([addresses, chosen])
        left[addresses] = False
        start = time.perf_counter()
        drawn = np.arange(len(addresses)) < replay.plan.start
        peer.learn(lab.measure(addresses, drawn), addresses, _stream(seed, number, 1))
        trained = time.perf_counter() - start
        after(addresses, PeerRound(len(addresses), peer.forecast(), seconds, trained))
        if time.monotonic() > deadline:
            msg = f"round {number} of {replay.plan.rounds} was the last to finish"
            raise RanOutOfTimeError(msg)
    return addresses


def _check(chosen: IntArray, left: BoolArray, size: int) -> None:
    if len(chosen) != size or len(np.unique(chosen)) != size or not left[chosen].all():
        msg = (
            f"The peer chose {len(chosen)} wells, {len(np.unique(chosen))} of them distinct and "
            f"{int(left[chosen].sum())} not measured before; expected {size} new ones."
        )
        raise IncompatibleError(msg)


def _stream(seed: int, number: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng([seed, number, purpose])
