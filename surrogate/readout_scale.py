"""Readouts in standard units, each by its own mean and SD over what was measured."""

from dataclasses import dataclass

import numpy as np

from loop.ports.arrays import FloatArray


@dataclass(frozen=True, slots=True)
class ReadoutScale:
    """Mean and SD of each readout, shape (m,); 0 and 1 where nothing was measured."""

    mean: FloatArray
    sd: FloatArray

    @classmethod
    def of(cls, values: FloatArray) -> "ReadoutScale":
        """The scale of values of shape (n, m), NaN where missing."""
        there = np.isfinite(values)
        count = there.sum(axis=0)
        filled = np.where(there, values, 0.0)
        mean = filled.sum(axis=0) / np.maximum(count, 1)
        squares = np.where(there, (values - mean) ** 2, 0.0).sum(axis=0)
        sd = np.sqrt(squares / np.maximum(count, 1))
        tiny = np.maximum(np.abs(mean), 1.0) * 1e-9
        return cls(mean, np.where(sd > tiny, sd, 1.0))

    def standardise(self, values: FloatArray) -> FloatArray:
        """Values in standard units; NaN stays NaN."""
        standard: FloatArray = (values - self.mean) / self.sd
        return standard
