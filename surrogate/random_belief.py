"""The surrogate that has learned nothing but mean and spread: what every other must beat."""

from collections.abc import Mapping

import numpy as np

from loop.domain.errors import InvalidError, NothingMeasuredError
from loop.domain.nearest import did_you_mean
from loop.ports.arrays import Belief, Combinations, FloatArray, SurrogateState, TrainingSet
from loop.ports.engine import Progress, SurrogateProblem, silent

_LEAST_SD = 1e-6


class RandomBelief:
    """Believes the same of every perturbation: the mean of what was measured, and its spread.

    It has no settings. Out of fold, each row is predicted from the others. torch is needed by
    `model` alone.
    """

    family = "none"

    def __init__(self, problem: SurrogateProblem) -> None:
        """Take up a problem.

        Raises:
            InvalidError: If there is any setting.
        """
        if problem.settings:
            name = next(iter(problem.settings))
            msg = f"Surrogate 'random' has no setting {name!r}.{did_you_mean(name, ['name'])}"
            raise InvalidError(f"{msg} Remove it.")
        self._readouts = problem.readouts
        self._arrays: Mapping[str, FloatArray] | None = None

    def fit(
        self, training: TrainingSet, rng: np.random.Generator, progress: Progress = silent
    ) -> None:
        """Learn mean and spread of each readout; O(n m).

        Raises:
            NothingMeasuredError: If a training set has no values at all.
        """
        values = training.values
        there = np.isfinite(values)
        if not there.any():
            msg = "The training set holds no value; ingest results first."
            raise NothingMeasuredError(msg)
        count = there.sum(axis=0)
        mean, variance = _moments(np.where(there, values, 0.0), there, count)
        others = np.maximum(count - there, 1)
        total = np.where(there, values, 0.0).sum(axis=0)
        fold = np.where(count - there > 0, (total - np.where(there, values, 0.0)) / others, mean)
        self._arrays = {
            "mean": mean,
            "epistemic_sd": np.sqrt(variance / np.maximum(count, 1)),
            "aleatoric_sd": np.sqrt(variance),
            "out_of_fold": fold,
        }
        progress(1.0, "learning the mean")

    def believe(self, combinations: Combinations) -> Belief:
        """The same for all N."""
        return self._spread_over(len(combinations), None)

    def out_of_fold(self) -> Belief:
        """Each row by the mean of the others."""
        fold = self._learned["out_of_fold"]
        return self._spread_over(len(fold), fold)

    def state(self) -> SurrogateState:
        """Four small arrays."""
        return SurrogateState(dict(self._learned), {})

    def restore(self, state: SurrogateState) -> None:
        """Take the arrays back."""
        self._arrays = {
            name: np.asarray(array, dtype=np.float64) for name, array in state.arrays.items()
        }

    def model(self) -> object:
        """A BoTorch model with the same normal posterior everywhere, independent at each row."""
        from surrogate.constant_model import ConstantModel

        learned = self._learned
        return ConstantModel(learned["mean"], learned["epistemic_sd"])

    @property
    def _learned(self) -> Mapping[str, FloatArray]:
        if self._arrays is None:
            msg = "This surrogate has learned nothing yet; fit or restore it first."
            raise NothingMeasuredError(msg)
        return self._arrays

    def _spread_over(self, count: int, mean: FloatArray | None) -> Belief:
        shape = (count, self._readouts)
        learned = self._learned
        return Belief(
            np.broadcast_to(learned["mean"] if mean is None else mean, shape).copy(),
            np.broadcast_to(learned["epistemic_sd"], shape).copy(),
            np.broadcast_to(learned["aleatoric_sd"], shape).copy(),
        )


def _moments(
    filled: FloatArray, there: "np.ndarray[tuple[int, int], np.dtype[np.bool_]]", count: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of each readout; 0 and 1 where it was never, or only once, measured."""
    mean = filled.sum(axis=0) / np.maximum(count, 1)
    squares = np.where(there, (filled - mean) ** 2, 0.0).sum(axis=0)
    variance = np.where(count > 1, squares / np.maximum(count - 1, 1), 1.0)
    return mean, np.maximum(variance, _LEAST_SD)
