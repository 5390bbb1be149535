"""Addresses, in ranges and in range."""

from collections.abc import Iterator

import numpy as np

from loop.domain.errors import InvalidError
from loop.ports.arrays import IntArray


def shards_of(total: int, size: int) -> Iterator[range]:
    """Ranges of at most `size` addresses that cover 0 to `total` once, in order.

    Raises:
        InvalidError: If `size` is not positive (on the first shard).
    """
    if size < 1:
        msg = f"A shard of {size} addresses covers nothing; give a size of at least 1."
        raise InvalidError(msg)
    for start in range(0, total, size):
        yield range(start, min(start + size, total))


def check_addresses(addresses: IntArray, total: int) -> IntArray:
    """The addresses as int64.

    Raises:
        InvalidError: If one of them is outside a space of `total` addresses.
    """
    addresses = np.asarray(addresses, dtype=np.int64)
    outside = (addresses < 0) | (addresses >= total)
    if outside.any():
        msg = (
            f"Address {int(addresses[outside][0])} is outside a space of {total} perturbations; "
            f"addresses run from 0 to {total - 1}."
        )
        raise InvalidError(msg)
    return addresses
