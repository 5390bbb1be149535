"""The linear control of evidence C: Bayesian regression in numpy, Thompson draws."""

from collections.abc import Callable

import numpy as np

from benchmarks.decisions.peer import Forecast, PeerProblem, desire, is_two_sided, sign_of
from benchmarks.decisions.peers.features import Columns, of_urs, two_hot
from loop.domain.errors import IncompatibleError
from loop.ports.arrays import BoolArray, FloatArray, IntArray, TrainingSet

_COMPONENTS = 64
_PRIOR_VARIANCES = 10.0 ** np.arange(-3, 2.1, 0.5)


class LinearThompson:
    """Each well of a batch is the best candidate of its own draw of the weights.

    The prior variance of the weights, relative to the noise, is the likeliest of eleven.
    """

    def __init__(self, problem: PeerProblem, describe: Callable[[PeerProblem], Columns]) -> None:
        """Describe every candidate once."""
        self._problem = problem
        columns = describe(problem)
        size = np.sqrt(max(float((columns.astype(np.float64) ** 2).sum(axis=1).mean()), 1e-12))
        self._columns = columns / np.float32(size)
        self._scale, self._noise = (0.0, 1.0), 1.0
        self._mean = np.zeros(columns.shape[1])
        self._root = np.zeros((columns.shape[1], columns.shape[1]))

    def learn(self, measured: TrainingSet, addresses: IntArray, rng: np.random.Generator) -> None:
        """The posterior of the weights, in closed form: O(n^3 + f^3)."""
        wanted = desire(measured.values[:, 0], self._problem.goal, self._problem.readout)
        self._scale = (float(wanted.mean()), float(wanted.std()) or 1.0)
        y = (wanted - self._scale[0]) / self._scale[1]
        x = self._columns[addresses].astype(np.float64)
        values, vectors = np.linalg.eigh(x @ x.T)
        variance, self._noise = _likeliest(np.maximum(values, 0.0), vectors.T @ y)
        precision = (x.T @ x + np.eye(x.shape[1]) / variance) / self._noise
        lower = np.linalg.inv(np.linalg.cholesky(precision))
        self._root = lower.T
        self._mean = self._root @ (lower @ (x.T @ y)) / self._noise

    def choose(self, left: BoolArray, size: int, rng: np.random.Generator) -> IntArray:
        """One draw of the weights for each well."""
        weights = self._mean[:, None] + self._root @ rng.normal(size=(len(self._mean), size))
        rated = self._columns @ weights.astype(np.float32)
        rated[~left] = -np.inf
        chosen = np.empty(size, dtype=np.int64)
        for pick in range(size):
            chosen[pick] = rated[:, pick].argmax()
            rated[chosen[pick]] = -np.inf
        return chosen

    def forecast(self) -> Forecast | None:
        """The posterior predictive, where the readout itself is what was learned."""
        goal, readout = self._problem.goal, self._problem.readout
        if is_two_sided(goal, readout):
            return None
        mean = self._columns @ self._mean.astype(np.float32)
        doubt = ((self._columns @ self._root.astype(np.float32)) ** 2).sum(axis=1)
        centre, sd = self._scale
        total: FloatArray = sd * np.sqrt(doubt.astype(np.float64) + self._noise)
        return Forecast(sign_of(goal, readout) * (centre + sd * mean.astype(np.float64)), total)


def _likeliest(values: FloatArray, turned: FloatArray) -> tuple[float, float]:
    """Prior variance / noise variance, and the noise variance, of largest marginal likelihood.

    `values` are the eigenvalues of X X', `turned` is y in their basis.
    """
    best = (-np.inf, 1.0, 1.0)
    for ratio in _PRIOR_VARIANCES:
        spread = 1.0 + ratio * values
        noise = float((turned**2 / spread).mean()) or 1e-12
        likelihood = -0.5 * (len(values) * np.log(noise) + np.log(spread).sum())
        best = max(best, (float(likelihood), float(ratio), noise))
    return best[1], best[2]


def on_identities(problem: PeerProblem) -> LinearThompson:
    """Weights on which perturbagens act."""
    return LinearThompson(problem, two_hot)


def on_urs(problem: PeerProblem) -> LinearThompson:
    """Weights on 64 principal components of the URs.

    Raises:
        IncompatibleError: If there are none.
    """
    if not problem.representations.known.any():
        msg = "there are no URs, so it would be linear-thompson-identity"
        raise IncompatibleError(msg)
    return LinearThompson(problem, lambda each: of_urs(each, _COMPONENTS))
