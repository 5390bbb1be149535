"""The first batch of a campaign that has prior evidence: mostly what earlier screens point to.

Nothing is measured yet, so the campaign's unit is unknown to the surrogate: it believes in SDs of
the earlier readouts, and thresholds are taken to cut off 5 % tails of these.
"""

import math
from dataclasses import replace

import numpy as np

from loop import plugins
from loop.domain.goal import Goal, Readout
from loop.ports.arrays import Combinations, TrainingSet
from loop.ports.engine import Surrogate, SurrogateProblem
from loop.question import Question

BY_LOT = 0.25
"""The share of the first batch that is drawn by lot whatever the evidence says.

With 32 of 128 by lot, shuffled prior evidence cost nothing after five rounds of a real pair screen
and the right one brought half as many hits again (`docs/benchmarks.md`).
"""
_TAIL = 1.645
_STREAM = 1
_UNIT = "SDs of earlier screens"


def has_informed_start(problem: SurrogateProblem, goal: Goal) -> bool:
    """Whether there is anything to choose a first batch by.

    A map is learned from wells by lot; and of a state or a front an earlier screen, which tells
    of one readout in its own SDs, does not know where it lies.
    """
    return bool(problem.prior) and goal in (Goal.FIND_HITS, Goal.MAXIMIZE, Goal.MINIMIZE)


def prior_surrogate(problem: SurrogateProblem, seed: int) -> Surrogate:
    """What is believed from earlier screens alone, in SDs of their readouts."""
    surrogate = plugins.surrogate("prior")(replace(problem, settings={}, checkpoint=None))
    surrogate.fit(_nothing(problem), np.random.default_rng([seed, _STREAM]))
    return surrogate


def in_sds(question: Question) -> Question:
    """The question as it is put to a surrogate that knows earlier screens only."""
    return replace(
        question,
        readouts=(_in_sds(question.readout), *question.readouts[1:]),
        audit=max(question.audit, BY_LOT),
        explore=0.0,
    )


def _in_sds(readout: Readout) -> Readout:
    low = -_TAIL if math.isfinite(readout.low) else readout.low
    high = _TAIL if math.isfinite(readout.high) else readout.high
    return replace(readout, unit=_UNIT, low=low, high=high)


def _nothing(problem: SurrogateProblem) -> TrainingSet:
    none = np.zeros((0, problem.slots), dtype=np.int64)
    values = np.zeros((0, problem.readouts))
    return TrainingSet(
        Combinations(none, none, np.zeros(0, dtype=np.int64)),
        values,
        values.astype(np.int64),
        values,
        np.zeros(0, dtype=np.uint64),
        np.zeros(0, dtype=np.bool_),
    )
