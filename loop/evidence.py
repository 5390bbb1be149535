"""The nearest measured evidence for a belief: what was measured of the like, and when."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from loop.domain.perturbation import Perturbation
from loop.ports.arrays import BoolArray, Combinations, FloatArray, IntArray
from loop.standing import Standing
from loop.ur_distance import UrDistance
from loop.wells import Well, measured_wells

PER_KIND = 3
"""How many of each kind are told."""


class Near(StrEnum):
    """In what way measured evidence is near, the nearest way first."""

    CONTEXT = "the same in another context"
    SHARED = "shares perturbagens"
    UR = "similar URs"


@dataclass(frozen=True, slots=True)
class Evidence:
    """A measured perturbation near the one asked about.

    Attributes:
        key: Its canonical key.
        near: In what way it is near.
        shared: How many perturbagens both hold, at whatever dose.
        distance: How unlike the URs of both sets are: the mean distance of each perturbagen to
            the nearest one of the other set, in units in which unlike perturbagens are about 1.4
            apart; None where a UR is unknown.
        value: What was measured (goal readout), replicates folded.
        replicates: In how many wells.
        round: In which round last.
    """

    key: str
    near: Near
    shared: int
    distance: float | None
    value: float
    replicates: int
    round: int | None


class MeasuredEvidence:
    """Everything measured of the goal's readout, to be searched for what is near."""

    def __init__(self, standing: Standing, distance: UrDistance) -> None:
        """Put it into arrays: O(n k)."""
        readout = standing.record.campaign.readout.name
        found = {
            key: by_readout[readout]
            for key, by_readout in sorted(standing.record.observed.by_key.items())
            if readout in by_readout
        }
        self._keys = list(found)
        self._observations = list(found.values())
        self._index = standing.index
        self._combinations = standing.index.encode([each.perturbation for each in found.values()])
        self._doses = standing.inputs.representations.doses
        self._distance = distance
        self._wells = measured_wells(standing.record)

    def nearest(self, asked: Perturbation) -> tuple[Evidence, ...]:
        """Up to three of each kind, the nearest first; never the perturbation itself.

        First the same perturbation in other contexts; then what shares most perturbagens, of
        these at the nearest doses, in the same context, with URs most alike; then, of what shares
        none, the nearest URs. O(n k^2 + P d).
        """
        if not self._keys:
            return ()
        [row] = [self._index.encode([asked])]
        mine = _Asked(row.components[0], row.levels[0], int(row.contexts[0]), self._doses)
        measured = self._combinations
        shared, gap = mine.shared_with(measured)
        apart = self._apart(mine.parts, measured.components)
        elsewhere = measured.contexts != mine.context
        orders = (measured.components >= 0).sum(axis=1)
        same = (shared == len(mine.parts)) & (orders == len(mine.parts)) & (gap == 0)
        ranked: Sequence[tuple[Near, BoolArray, tuple[FloatArray | IntArray | BoolArray, ...]]] = (
            (Near.CONTEXT, same & elsewhere, ()),
            (Near.SHARED, (shared > 0) & ~same, (-shared, gap, elsewhere, apart, orders)),
            (Near.UR, (shared == 0) & np.isfinite(apart), (apart, elsewhere, orders)),
        )
        return tuple(
            self._told(int(at), near, int(shared[at]), float(apart[at]))
            for near, rows, ranks in ranked
            for at in _first(np.flatnonzero(rows), ranks)
        )

    def _apart(self, parts: IntArray, components: IntArray) -> FloatArray:
        """How unlike each measured set is by URs, shape (n,); inf where one is unknown or empty."""
        if not len(parts):
            return np.full(len(components), np.inf)
        every = np.arange(len(self._doses))
        table = np.pad(self._distance.between(parts, every), ((0, 0), (0, 1)))
        filled = components >= 0
        # Position P, the padding, stands for an empty slot.
        apart = table[:, np.where(filled, components, len(every))]
        mine = np.where(filled, apart, np.inf).min(axis=2).mean(axis=0)
        theirs = np.where(filled, apart.min(axis=0), 0.0).sum(axis=1)
        return np.asarray(0.5 * (mine + theirs / np.maximum(filled.sum(axis=1), 1)), np.float64)

    def _told(self, at: int, near: Near, shared: int, apart: float) -> Evidence:
        observation = self._observations[at]
        wells: Sequence[Well] = self._wells.get(self._keys[at], ())
        return Evidence(
            self._keys[at],
            near,
            shared,
            apart if np.isfinite(apart) else None,
            observation.mean,
            observation.replicates,
            max((each.round for each in wells), default=None),
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """One encoded perturbation, in `parts` without the empty slots."""

    components: IntArray
    levels: IntArray
    context: int
    doses: FloatArray

    @property
    def parts(self) -> IntArray:
        return self.components[self.components >= 0]

    def shared_with(self, measured: Combinations) -> tuple[IntArray, FloatArray]:
        """How many perturbagens each row shares, and how far apart their doses are in log10."""
        shared = np.zeros(len(measured), dtype=np.int64)
        gap = np.zeros(len(measured))
        theirs = self.doses[measured.components, measured.levels]
        for part, level in zip(self.parts, self.levels[self.components >= 0], strict=True):
            same = measured.components == part
            shared += same.any(axis=1)
            gap += np.where(same, np.abs(theirs - self.doses[part, level]), 0.0).sum(axis=1)
        return shared, gap


def _first(rows: IntArray, ranks: tuple[FloatArray | IntArray | BoolArray, ...]) -> IntArray:
    """The first few of some rows by several ranks, then by key."""
    order = np.lexsort((rows, *(rank[rows] for rank in reversed(ranks))))
    return rows[order[:PER_KIND]]
