"""Which part of the batch's value each choice brought."""

from enum import Enum

import numpy as np

from loop.ports.arrays import FloatArray


class Scale(Enum):
    """What a score means where it is added up.

    AMOUNT: it is an amount of value; below 0 it counts as none. EXCESS: only what lies above a
    typical candidate is. LOG: its exponential is.
    """

    AMOUNT = "amount"
    EXCESS = "excess"
    LOG = "log"


def contributions(scores: FloatArray, scale: Scale, typical: float) -> FloatArray:
    """The share of the batch's value that each choice brought, shape (q,), summing to 1.

    `typical` is the utility of a typical candidate, and matters for `Scale.EXCESS` only. Where
    no choice brought anything the shares are NaN.
    """
    if not len(scores):
        return np.zeros(0)
    if scale is Scale.LOG:
        amounts = np.exp(scores - scores.max())
    else:
        amounts = np.maximum(scores - (typical if scale is Scale.EXCESS else 0.0), 0.0)
    total = amounts.sum()
    return amounts / total if total > 0 else np.full(len(scores), np.nan)
