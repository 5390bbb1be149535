"""Find the candidate of largest gain, again and again, looking at as few as may be."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from acquisition.choosing.gains import Gains, ShrinkingGains
from loop.domain.errors import IncompatibleError
from loop.ports.arrays import BoolArray, FloatArray, IntArray

Weigh = Callable[[FloatArray, IntArray], FloatArray]
"""Makes the keys by which candidates are compared out of their gains and positions, shape (n,).

It never puts a smaller gain before a larger one of the same candidate, and its keys never grow
as the batch does.
"""

_FIRST_BLOCK = 16
_NEVER = -1e300


def by_gain(gains: FloatArray, positions: IntArray) -> FloatArray:
    """The gains themselves."""
    return gains


class Chooser(Protocol):
    """Finds the best of K candidates."""

    def best(self, allowed: BoolArray) -> tuple[int, float]:
        """The position and the gain of the best that is allowed (at least one is).

        Keys that differ by no more than rounding are equal, and the earlier candidate is taken.

        Raises:
            IncompatibleError: If a gain is not a number.
        """
        ...


def chooser(gains: Gains, weigh: Weigh = by_gain) -> Chooser:
    """The fastest chooser for these gains; all choose the same."""
    if isinstance(gains, ShrinkingGains):
        return LazyChooser(gains, weigh)
    return PlainChooser(gains, weigh)


class PlainChooser:
    """Looks at the gains of all candidates each time."""

    def __init__(self, gains: Gains, weigh: Weigh = by_gain) -> None:
        self._gains = gains
        self._weigh = weigh

    def best(self, allowed: BoolArray) -> tuple[int, float]:
        """See `Chooser`; one pass over K gains."""
        values = _numbers(self._gains.values())
        positions = np.flatnonzero(allowed)
        place = _first_best(_keys(self._weigh, values[positions], positions))
        position = int(positions[place])
        return position, float(values[position])


class LazyChooser:
    """Looks only at candidates whose gain may still be the largest.

    What a candidate's gain was when it was last looked at bounds what it is now, so candidates
    are looked at from the largest bound down, in blocks that double, until no bound left reaches
    the best gain found.

    Source:
        Minoux (1978), "Accelerated greedy algorithms for maximizing submodular set functions".
    """

    def __init__(self, gains: ShrinkingGains, weigh: Weigh = by_gain) -> None:
        self._gains = gains
        self._weigh = weigh
        self._bounds = _widened(_numbers(gains.bounds()))

    def best(self, allowed: BoolArray) -> tuple[int, float]:
        """See `Chooser`."""
        unseen = np.flatnonzero(allowed)
        bounds = _keys(self._weigh, self._bounds[unseen], unseen)
        seen, values, keys = _NOTHING, np.empty(0), np.empty(0)
        block = _FIRST_BLOCK
        while len(unseen):
            look = _largest(bounds, block)
            looked_at = np.sort(unseen[look])
            new = _numbers(self._gains.values_at(looked_at))
            self._bounds[looked_at] = _widened(new)
            seen, values = np.concatenate([seen, looked_at]), np.concatenate([values, new])
            keys = np.concatenate([keys, _keys(self._weigh, new, looked_at)])
            rest = bounds >= _least_equal(keys.max())
            rest[look] = False
            unseen, bounds, block = unseen[rest], bounds[rest], 2 * block
        order = np.argsort(seen)
        place = order[_first_best(keys[order])]
        return int(seen[place]), float(values[place])


_NOTHING: IntArray = np.empty(0, dtype=np.int64)


def _largest(keys: FloatArray, count: int) -> IntArray:
    if count >= len(keys):
        return np.arange(len(keys), dtype=np.int64)
    return np.argpartition(keys, len(keys) - count)[len(keys) - count :].astype(np.int64)


def _first_best(keys: FloatArray) -> int:
    return int((keys >= _least_equal(keys.max())).argmax())


def _least_equal(key: float) -> float:
    """The smallest key that counts as equal: sums over draws are rounded block by block."""
    return float(key - 1e-11 * max(abs(key), 1.0))


def _widened(bounds: FloatArray) -> FloatArray:
    return bounds + 1e-10 * np.maximum(np.abs(bounds), 1.0)


def _keys(weigh: Weigh, gains: FloatArray, positions: IntArray) -> FloatArray:
    return np.maximum(weigh(gains, positions), _NEVER)


def _numbers(gains: FloatArray) -> FloatArray:
    """The gains, refused where they are no numbers: those would win every comparison, or none."""
    if bool(np.isnan(gains).any() or np.isposinf(gains).any()):
        msg = (
            "The surrogate's joint draws give gains that are not finite numbers; retrain it, "
            "or choose another acquisition."
        )
        raise IncompatibleError(msg)
    return gains
