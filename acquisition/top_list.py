"""The best of a stream, in bounded memory."""

import numpy as np
import numpy.typing as npt

from acquisition.scatter import UIntArray
from loop.ports.arrays import FloatArray, IntArray

Utilities = npt.NDArray[np.float32]


class TopList:
    """The `size` addresses of largest utility, whatever the order and the blocks they came in.

    Utilities are compared in float32, so that rounding which depends on the block cannot
    decide, and equal ones by their tie-breakers. Memory is in proportion to `size` and the
    largest block.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._addresses: IntArray = np.empty(0, dtype=np.int64)
        self._utilities: Utilities = np.empty(0, dtype=np.float32)
        self._ties: UIntArray = np.empty(0, dtype=np.uint64)
        self._least = np.float32(-np.inf)

    def offer(self, addresses: IntArray, utilities: FloatArray, ties: UIntArray) -> None:
        """Look at a block, three arrays of shape (N,); no address may ever come twice."""
        rounded = utilities.astype(np.float32)
        keep = rounded >= self._least
        if not keep.any():
            return
        self._addresses = np.concatenate([self._addresses, addresses[keep]])
        self._utilities = np.concatenate([self._utilities, rounded[keep]])
        self._ties = np.concatenate([self._ties, ties[keep]])
        order = np.lexsort((self._ties, -self._utilities))[: self._size]
        self._addresses = self._addresses[order]
        self._utilities = self._utilities[order]
        self._ties = self._ties[order]
        if len(order) == self._size:
            self._least = self._utilities[-1]

    @property
    def addresses(self) -> IntArray:
        """The best so far, best first, shape (at most `size`,)."""
        return self._addresses

    @property
    def utilities(self) -> FloatArray:
        """Their utilities, same order."""
        return self._utilities.astype(np.float64)
