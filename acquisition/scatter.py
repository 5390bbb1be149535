"""A number for each address that looks random and is always the same."""

import numpy as np
import numpy.typing as npt

from loop.ports.arrays import IntArray

UIntArray = npt.NDArray[np.uint64]


def scattered(addresses: IntArray, salt: int) -> UIntArray:
    """Hash addresses with a salt, shape (N,): no order of the addresses is left.

    It breaks ties and draws at random in shards: the answer for an address does not depend on
    which shard it is in. Breaking ties by the address itself would fill a batch with the
    partners of the library's first perturbagen.

    Source:
        Steele, Lea, Flood (2014), "Fast splittable pseudorandom number generators", OOPSLA:
        the finaliser of SplitMix64, over address x golden ratio + salt.
    """
    mixed = addresses.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(salt)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    answer: UIntArray = mixed ^ (mixed >> np.uint64(31))
    return answer


def salt_from(rng: np.random.Generator) -> int:
    """A salt, or a seed, of 63 bits."""
    return int(rng.integers(0, 2**63 - 1))
