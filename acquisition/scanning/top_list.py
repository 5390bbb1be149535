"""The best of a stream, in bounded memory."""

import numpy as np
import numpy.typing as npt

from acquisition.scatter import UIntArray
from loop.ports.arrays import FloatArray, IntArray

Utilities = npt.NDArray[np.float32]

_PATIENCE = 1_024


class TopList:
    """The `size` addresses of largest utility, whatever the order and the blocks they came in.

    Utilities are compared in float32, so that rounding which depends on the block cannot
    decide, and equal ones by their tie-breakers. Memory is in proportion to `size` and the
    largest block; what comes is sorted out only when as much as half a list has come, so that
    a list of a million costs no more for each of its members than a short one.

    Args:
        size: How many are kept.
        floor: What lies below it is not wanted, whether or not the list is full.
    """

    def __init__(self, size: int, floor: float = -np.inf) -> None:
        self._size = size
        self._least = np.float32(floor)
        self._addresses: list[IntArray] = []
        self._utilities: list[Utilities] = []
        self._ties: list[UIntArray] = []
        self._kept = self._held = 0

    @property
    def least(self) -> float:
        """A utility below which nothing will be kept any more; it never falls."""
        return float(self._least)

    def offer(
        self, addresses: IntArray, utilities: FloatArray | Utilities, ties: UIntArray
    ) -> None:
        """Look at a block, three arrays of shape (N,); no address may ever come twice."""
        rounded = utilities.astype(np.float32)
        keep = rounded >= self._least
        if not self._size or not keep.any():
            return
        self._addresses.append(addresses[keep])
        self._utilities.append(rounded[keep])
        self._ties.append(ties[keep])
        self._held += len(self._addresses[-1])
        if self._held >= max(self._size, self._kept + max(self._size // 2, _PATIENCE)):
            self._sort_out()

    def _sort_out(self) -> None:
        addresses, utilities, ties = self._joined()
        if len(addresses) > self._size:
            keep = _best(utilities, ties, self._size)
            addresses, utilities, ties = addresses[keep], utilities[keep], ties[keep]
        if len(addresses) == self._size:
            self._least = max(self._least, utilities.min())
        self._addresses, self._utilities, self._ties = [addresses], [utilities], [ties]
        self._kept = self._held = len(addresses)

    def _joined(self) -> tuple[IntArray, Utilities, UIntArray]:
        if not self._addresses:
            return np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.uint64)
        addresses, utilities = np.concatenate(self._addresses), np.concatenate(self._utilities)
        return addresses, utilities, np.concatenate(self._ties)

    def best(self) -> tuple[IntArray, Utilities]:
        """The addresses kept so far and their utilities, best first, shape (at most `size`,)."""
        addresses, utilities, ties = self._joined()
        order = np.lexsort((ties, -utilities))[: self._size]
        return addresses[order], utilities[order]

    @property
    def addresses(self) -> IntArray:
        """The best so far, best first, shape (at most `size`,)."""
        return self.best()[0]

    @property
    def utilities(self) -> FloatArray:
        """Their utilities, same order."""
        return self.best()[1].astype(np.float64)


def _best(utilities: Utilities, ties: UIntArray, size: int) -> IntArray:
    """The places of the `size` best of more than `size`, in no order; linear time."""
    cut = -np.partition(-utilities, size - 1)[size - 1]
    above = np.flatnonzero(utilities > cut)
    level = np.flatnonzero(utilities == cut)
    room = size - len(above)
    if len(level) > room:
        level = level[np.argpartition(ties[level], room - 1)[:room]]
    return np.concatenate([above, level])
