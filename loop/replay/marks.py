"""How far a replay has come towards its goal, judged by the whole table."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from loop.domain.goal import Direction, Goal, smaller_is_better
from loop.ports.arrays import BoolArray, FloatArray, IntArray
from loop.replay.front import hypervolume
from loop.replay.question import Asked
from loop.screen import Screen

TOP = 100
_EXTREMES = (Goal.MAXIMIZE, Goal.MINIMIZE)


@dataclass(frozen=True, slots=True)
class Marked:
    """What some measured wells are worth; None for what the goal does not ask.

    Attributes:
        hits_low: Hits below the median of the table.
        hits_high: Hits above it.
        regret: How far the best found lies behind the table's best (maximize, minimize).
        top100: How many of the table's best 100 were found; for 'reach-state' the nearest 100.
        hypervolume: The volume that the front found dominates / that of the table's own front,
            counted from the table's median (pareto).
        distance: Of the nearest found to the wanted state: root mean square miss over the
            readouts with a target, weighed, in SDs of the table (reach-state).
    """

    hits_low: int | None = None
    hits_high: int | None = None
    regret: float | None = None
    top100: int | None = None
    hypervolume: float | None = None
    distance: float | None = None


class Marks:
    """The judge of one replay; it knows the whole table and tells the surrogate nothing."""

    def __init__(self, screen: Screen, asked: Asked) -> None:
        """Look at the whole table once."""
        self._screen, self._asked = screen, asked

    def of(self, addresses: IntArray) -> Marked:
        """Judge what has been measured so far."""
        goal, low, high = self._asked.goal, None, None
        if self._asked.hits is not None:
            hits = addresses[self._asked.hits[addresses]]
            below = int(self._below[hits].sum())
            low, high = below, len(hits) - below
        if goal in _EXTREMES:
            found = float(np.nanmax(self._merit[addresses]))
            regret, top = float(np.nanmax(self._merit)) - found, self._found_of_top(addresses)
            return Marked(low, high, regret=regret, top100=top)
        if goal is Goal.REACH_STATE:
            distance, top = -float(self._merit[addresses].max()), self._found_of_top(addresses)
            return Marked(low, high, top100=top, distance=distance)
        if goal is Goal.PARETO:
            return Marked(low, high, hypervolume=self._share(addresses))
        return Marked(low, high)

    @cached_property
    def _below(self) -> BoolArray:
        below: BoolArray = self._screen.values < np.nanmedian(self._screen.values)
        return below

    @cached_property
    def _merit(self) -> FloatArray:
        """Larger is better, shape (N,)."""
        if self._asked.goal is Goal.REACH_STATE:
            return -self._distances()
        down = smaller_is_better(self._asked.goal, self._asked.readout)
        return -self._screen.values if down else self._screen.values

    @cached_property
    def _top(self) -> BoolArray:
        top = np.zeros(len(self._merit), dtype=np.bool_)
        top[np.argsort(-self._merit, kind="stable")[:TOP]] = True
        return top

    def _found_of_top(self, addresses: IntArray) -> int:
        return int(self._top[addresses].sum())

    def _distances(self) -> FloatArray:
        """Of every perturbation to the wanted state, shape (N,); inf where one is not known."""
        values, readouts = self._screen.table.values, self._asked.readouts
        square, whole = np.zeros(len(values)), 0.0
        for column, readout in zip(values.T, readouts, strict=True):
            if readout.target is not None:
                square += readout.weight * ((column - readout.target) / _sd(column)) ** 2
                whole += readout.weight
        distances = np.sqrt(square / whole)
        return np.where(np.isfinite(distances), distances, np.inf)

    @cached_property
    def _turned(self) -> FloatArray:
        """All readouts with more being better, in SDs past the table's median, shape (N, m)."""
        values = self._screen.table.values
        signs = [-1.0 if r.direction is Direction.DOWN else 1.0 for r in self._asked.readouts]
        sds = np.array([_sd(column) for column in values.T])
        return np.asarray(np.array(signs) * (values - np.nanmedian(values, axis=0)) / sds)

    @cached_property
    def _whole(self) -> float:
        return hypervolume(self._turned, np.zeros(self._turned.shape[1]))

    def _share(self, addresses: IntArray) -> float | None:
        if not self._whole:
            return None
        return hypervolume(self._turned[addresses], np.zeros(self._turned.shape[1])) / self._whole


def _sd(column: FloatArray) -> float:
    return float(np.nanstd(column)) or 1.0
