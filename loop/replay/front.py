"""The volume that a set of values dominates: how far the front between several readouts is."""

import numpy as np

from loop.ports.arrays import FloatArray


def hypervolume(values: FloatArray, worst: FloatArray) -> float:
    """The volume between a reference point and the front of n values, larger being better.

    Args:
        values: Shape (n, R); what does not exceed `worst` in every readout counts for nothing.
        worst: The reference point, shape (R,).

    Cost:
        O(F log F) for two readouts and a front of F; F times as much for each further one.

    Source:
        While et al. (2006), "A faster algorithm for calculating hypervolume", IEEE Transactions
        on Evolutionary Computation: slicing, objective by objective.
    """
    inside = (values > worst).all(axis=1)
    return _volume(_front(values[inside] - worst))


def _front(values: FloatArray) -> FloatArray:
    """What nothing else dominates, largest in the first readout first."""
    order = np.lexsort(tuple(-values[:, at] for at in reversed(range(values.shape[1]))))
    kept = np.zeros((0, values.shape[1]))
    for row in values[order]:
        if not (kept >= row).all(axis=1).any():
            kept = np.concatenate([kept, row[None]])
    return kept


def _volume(front: FloatArray) -> float:
    """Of values past 0 that do not dominate one another."""
    if not len(front):
        return 0.0
    if front.shape[1] == 1:
        return float(front.max())
    # Largest in the first readout first: each slice is as deep as to the next.
    order = np.argsort(-front[:, 0], kind="stable")
    ordered = front[order]
    deep = ordered[:, 0] - np.append(ordered[1:, 0], 0.0)
    return sum(
        float(depth) * _volume(_front(ordered[: at + 1, 1:]))
        for at, depth in enumerate(deep)
        if depth > 0
    )
