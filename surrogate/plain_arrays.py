"""Between tensors, stored arrays and float64."""

import numpy as np
import numpy.typing as npt
from torch import Tensor

from loop.ports.arrays import FloatArray


def numpy_of(tensor: Tensor) -> FloatArray:
    """A tensor as an array in float64, on the CPU."""
    array: FloatArray = tensor.detach().cpu().double().numpy()
    return array


def floats(array: npt.NDArray[np.generic]) -> FloatArray:
    """A copy in float64."""
    return np.array(array, dtype=np.float64)
