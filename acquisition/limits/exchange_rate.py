"""How much utility one unit of money is worth, so that the best batch for the money is chosen."""

import numpy as np

from loop.ports.arrays import FloatArray

_HALVINGS = 60


def exchange_rate(utilities: FloatArray, prices: FloatArray, size: int, money: float) -> float:
    """The smallest rate at which the `size` best by utility - rate x price cost no more.

    At that rate they are the best batch among all that cost as much as they do (the Lagrangian
    of the choice). Where even the cheapest cost more it is the rate at which they are chosen.

    Args:
        utilities: Shape (N,), finite.
        prices: Shape (N,).
        size: q, at most N.
        money: What all q may cost together.
    """

    def cost(rate: float) -> float:
        keys = prices * rate - utilities
        return float(prices[np.argpartition(keys, size - 1)[:size]].sum())

    steps = np.diff(np.unique(prices))
    if not len(steps) or cost(0.0) <= money:
        return 0.0
    low, high = 0.0, float(np.ptp(utilities) / steps.min()) + 1e-300
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if cost(middle) <= money:
            high = middle
        else:
            low = middle
    return high
