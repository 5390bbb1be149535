"""What has been observed of each readout, as one scale for all of them."""

from collections.abc import Sequence

import numpy as np

from loop.ports.arrays import FloatArray, TrainingSet


def observed_values(training: TrainingSet | None, readouts: Sequence[int]) -> FloatArray:
    """The values of perturbations in which all these readouts were observed, shape (n, R)."""
    if training is None:
        return np.zeros((0, len(readouts)))
    values = training.values[:, list(readouts)]
    return np.asarray(values[np.isfinite(values).all(axis=1)])


def observed_sds(training: TrainingSet | None, readouts: Sequence[int]) -> FloatArray:
    """The SD of what was observed of each readout, shape (R,); NaN where there is no spread."""
    return np.array([_sd(training, readout) for readout in readouts])


def _sd(training: TrainingSet | None, readout: int) -> float:
    known = observed_values(training, [readout])
    sd = float(known.std(ddof=1)) if len(known) > 1 else 0.0
    return sd if sd > 0 else float("nan")
