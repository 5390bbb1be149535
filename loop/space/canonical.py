"""One order of slots: components ascending, the empty slots last."""

import numpy as np

from loop.ports.arrays import Combinations, IntArray

_LAST = np.iinfo(np.int64).max


def with_sorted_slots(combinations: Combinations, slots: int | None = None) -> Combinations:
    """The same perturbations with components ascending, -1 last, and `slots` slots.

    Args:
        combinations: N perturbations with their slots in any order.
        slots: How many slots the answer has; as many as before where None. Occupied slots past
            that number are cut off, so ask for no fewer than the largest order.
    """
    components, levels = combinations.components, combinations.levels
    keys = np.where(components == -1, _LAST, components)
    if components.shape[1] > 1 and not np.all(keys[:, 1:] >= keys[:, :-1]):
        order = np.argsort(keys, axis=1, kind="stable")
        components = np.take_along_axis(components, order, axis=1)
        levels = np.take_along_axis(levels, order, axis=1)
    wanted = combinations.slots if slots is None else slots
    components, levels = _resized(components, wanted), _resized(levels, wanted)
    return Combinations(components, np.where(components == -1, -1, levels), combinations.contexts)


def orders_of(combinations: Combinations) -> IntArray:
    """How many slots of each perturbation are occupied, shape (N,)."""
    occupied: IntArray = (combinations.components != -1).sum(axis=1, dtype=np.int64)
    return occupied


def _resized(slots: IntArray, wanted: int) -> IntArray:
    rows, given = slots.shape
    if given >= wanted:
        return slots[:, :wanted]
    empty = np.full((rows, wanted - given), -1, dtype=np.int64)
    return np.concatenate([slots, empty], axis=1)
