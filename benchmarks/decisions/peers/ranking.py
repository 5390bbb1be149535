"""Take the best that are left."""

import numpy as np

from loop.ports.arrays import BoolArray, FloatArray, IntArray


def best(scores: FloatArray, left: BoolArray, size: int, rng: np.random.Generator) -> IntArray:
    """The `size` addresses with the largest scores among those left, ties in random order."""
    addresses = rng.permutation(np.flatnonzero(left))
    order = np.argsort(-scores[addresses], kind="stable")
    chosen: IntArray = addresses[order[:size]]
    return chosen
