"""What a replay's next batch is expected to bring, told before its wells are measured."""

from dataclasses import dataclass, field

import numpy as np

from loop.choose import Selection
from loop.domain.batch import ChosenBy, Forecast
from loop.domain.goal import Goal, Readout, smaller_is_better
from loop.forecast import Promise, by_lot, chances, forecast_gain, forecast_hits
from loop.learn import Learned
from loop.ports.arrays import BoolArray, Combinations, FloatArray, IntArray
from loop.replay.question import Asked

_EXTREMES = (Goal.MAXIMIZE, Goal.MINIMIZE)


@dataclass(slots=True)
class Foreteller:
    """Forecasts batch after batch of one run, and remembers what came of each promise."""

    asked: Asked
    promises: list[Promise] = field(default_factory=list)

    def forecast(
        self,
        learned: Learned,
        selection: Selection,
        combinations: Combinations,
        replicates: IntArray,
        drawn_values: FloatArray,
        best: float | None,
        rng: np.random.Generator,
    ) -> tuple[Forecast | None, float]:
        """The forecast of a batch, and the hits that its chosen wells promise.

        Args:
            learned: What predicts.
            selection: The batch.
            combinations: Its perturbations.
            replicates: Wells behind each value, shape (q,).
            drawn_values: What was measured of wells by lot so far, shape (a,).
            best: The best value so far.
            rng: Draws the interval.
        """
        readout, goal = self.asked.readout, self.asked.goal
        belief = learned.surrogate.believe(combinations)
        mean, sd = belief.mean[:, 0], learned.sd(belief, replicates[:, None])
        lot = by_lot_rows(selection)
        likely = chances(mean, sd, readout)
        promised = float(likely[~lot].sum())
        if goal in _EXTREMES and best is not None:
            down = smaller_is_better(goal, readout)
            told = forecast_gain(mean, sd, best, down, selection.values, readout.unit, rng)
            return told, promised
        if goal is not Goal.FIND_HITS:
            return None, promised
        hits = _hits(drawn_values, readout)
        rate = by_lot(hits, len(drawn_values), likely[lot])
        values = selection.values
        told = forecast_hits(likely[~lot], int(lot.sum()), rate, values, self.promises, rng)
        return told, promised

    def measured(self, promised: float, came: int) -> None:
        """Remember what the chosen wells of a batch brought."""
        self.promises.append(Promise(promised, came))


def by_lot_rows(selection: Selection) -> BoolArray:
    """Which of the chosen were drawn by lot, shape (q,)."""
    return np.array([by is ChosenBy.AUDIT for by in selection.chosen_by], dtype=np.bool_)


def _hits(values: FloatArray, readout: Readout) -> int:
    return int(((values <= readout.low) | (values >= readout.high)).sum())
