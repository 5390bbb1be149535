"""Which wells moved a belief most: an optional ability of a surrogate, and what it tells."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from loop.domain.perturbation import Perturbation
from loop.encoding import identities
from loop.learn import Learned
from loop.ports.arrays import Combinations, FloatArray, TrainingSet
from loop.standing import Standing
from loop.wells import Well, measured_wells

TOLD = 5
"""How many observations are told for each perturbation."""


@runtime_checkable
class Moved(Protocol):
    """What a surrogate may have besides being one: it can say what each observation did."""

    @property
    def moved_exactly(self) -> bool:
        """Whether the moves sum to the predicted mean less the prior mean."""
        ...

    def moved_by(self, combinations: Combinations, training: TrainingSet) -> FloatArray:
        """How far each observation moves each mean from the prior mean (first readout).

        Args:
            combinations: N perturbations.
            training: The training set of the last fit, its n rows in their order; NaN where a
                value was withdrawn since.

        Returns:
            Shape (N, n), in the readout's unit; 0 in rows without a value.
        """
        ...


@dataclass(frozen=True, slots=True)
class Move:
    """What one observation did to a belief.

    Attributes:
        key: The measured perturbation.
        own: Whether it is the one asked about.
        moved: How far it moves the predicted mean (goal readout), in the readout's unit.
        value: What was measured; None where it was withdrawn since.
        wells: Where.
    """

    key: str
    own: bool
    moved: float
    value: float | None
    wells: tuple[Well, ...]


@dataclass(frozen=True, slots=True)
class Influence:
    """The observations that moved a belief most: its own first, then by size.

    Attributes:
        exact: Whether all moves sum to the predicted mean less the prior mean; if not, they are
            those of a Gaussian process with the ensemble's learned variances.
        observations: How many observations the surrogate learned from.
        total: The sum of the moves of all observations.
        most: The first five.
    """

    exact: bool
    observations: int
    total: float
    most: tuple[Move, ...]


def influences(
    standing: Standing, learned: Learned, asked: Sequence[Perturbation]
) -> list[Influence | None]:
    """For each perturbation which observations moved its belief; None where nobody can say."""
    surrogate = learned.surrogate
    if not isinstance(surrogate, Moved) or not asked:
        return [None] * len(asked)
    keys, training = _learned_from(standing, learned.identities)
    moved = surrogate.moved_by(standing.index.encode(asked), training)
    wells = measured_wells(standing.record)
    exact = surrogate.moved_exactly
    return [
        Influence(
            exact,
            len(keys),
            float(row.sum()),
            tuple(
                Move(
                    keys[at],
                    keys[at] == each.key,
                    float(row[at]),
                    standing.record.observed.value(keys[at], standing.record.campaign.readout.name),
                    tuple(wells.get(keys[at], ())),
                )
                for at in _most(row, keys, each.key)
            ),
        )
        for each, row in zip(asked, moved, strict=True)
    ]


def _most(row: FloatArray, keys: Sequence[str], own: str) -> list[int]:
    """The rows that moved most, their own first, without those that did nothing."""
    first = np.lexsort((np.arange(len(row)), -np.abs(row)))[: TOLD + 1].tolist()
    if own in keys:
        at = keys.index(own)
        first = [at, *(each for each in first if each != at)]
    return [at for at in first if row[at] != 0 or keys[at] == own][:TOLD]


def _learned_from(
    standing: Standing, learned: npt.NDArray[np.uint64]
) -> tuple[list[str], TrainingSet]:
    """Keys and observations that a surrogate learned from, in the order it was given them.

    An observation that was withdrawn since has no value.
    """
    made = {
        well.perturbation.key: well.perturbation
        for dispatch in standing.record.dispatches
        for plate in dispatch.plates
        for well in plate.wells
        if well.perturbation is not None
    }
    key_of = dict(zip(identities(list(made.values())).tolist(), made, strict=True))
    keys = [key_of[each] for each in learned.tolist()]
    now = standing.training
    row_of = {each: row for row, each in enumerate(now.identities.tolist())}
    rows = np.array([row_of.get(each, -1) for each in learned.tolist()], dtype=np.int64)
    lost = rows < 0
    part = now[np.maximum(rows, 0)]
    return keys, TrainingSet(
        standing.index.encode([made[key] for key in keys]),
        np.where(lost[:, None], np.nan, part.values),
        np.where(lost[:, None], 0, part.replicates),
        np.where(lost[:, None], np.nan, part.spread),
        learned,
        part.audit & ~lost,
    )
