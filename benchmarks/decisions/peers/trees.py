"""Extremely randomised trees, greedy: the reference replays of the data folder."""

import numpy as np

from benchmarks.decisions.peer import Forecast, PeerProblem, desire, is_two_sided, sign_of
from benchmarks.decisions.peers.features import of_urs
from benchmarks.decisions.peers.ranking import best
from loop.ports.arrays import BoolArray, IntArray, TrainingSet

_TREES, _COMPONENTS = 200, 64


class GreedyTrees:
    """200 trees on the URs' principal components; the best predicted candidates; no doubt."""

    def __init__(self, problem: PeerProblem) -> None:
        """Describe every candidate once."""
        self._problem = problem
        self._columns = of_urs(problem, _COMPONENTS)
        self._mean = np.zeros(len(self._columns))

    def learn(self, measured: TrainingSet, addresses: IntArray, rng: np.random.Generator) -> None:
        """Grow the trees anew, and predict every candidate."""
        from sklearn.ensemble import ExtraTreesRegressor

        wanted = desire(measured.values[:, 0], self._problem.goal, self._problem.readout)
        trees = ExtraTreesRegressor(_TREES, n_jobs=1, random_state=int(rng.integers(2**31)))
        self._mean = trees.fit(self._columns[addresses], wanted).predict(self._columns)

    def choose(self, left: BoolArray, size: int, rng: np.random.Generator) -> IntArray:
        """The largest predictions."""
        return best(self._mean, left, size, rng)

    def forecast(self) -> Forecast | None:
        """The mean alone: SDs are NaN, so nothing is said of intervals."""
        goal, readout = self._problem.goal, self._problem.readout
        if is_two_sided(goal, readout):
            return None
        return Forecast(sign_of(goal, readout) * self._mean, np.full(len(self._mean), np.nan))
