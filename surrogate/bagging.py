"""Which member learns from which well: fixed for life by a hash.

Redrawing the masks at a warm start would leak: a well that a member was trained on would become
its out-of-bag well. So a mask depends on the mask seed, the member and the perturbation's
identity, and on nothing else.
"""

import numpy as np
import numpy.typing as npt

from loop.ports.arrays import BoolArray


def bagging_masks(
    seed: int, members: int, identities: npt.NDArray[np.uint64], share: float
) -> BoolArray:
    """Which member learns from which row, shape (members, n); each with chance `share`."""
    lanes = mixed(np.uint64(seed) + np.arange(1, members + 1, dtype=np.uint64))
    drawn = mixed(identities[None, :].astype(np.uint64) ^ lanes[:, None])
    chosen: BoolArray = (drawn >> np.uint64(11)) < np.uint64(share * 2**53)
    return chosen


def mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """SplitMix64 (Steele, Lea and Flood, 2014): every bit of the input moves every bit."""
    with np.errstate(over="ignore"):
        z = values + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
