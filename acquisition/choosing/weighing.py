"""What candidates are compared by: their gains, less likeness to the batch, less their price."""

import numpy as np

from acquisition.choosing.contributions import Scale
from acquisition.limits.likeness import Likeness
from loop.ports.arrays import FloatArray, IntArray

_LEAST = 1e-12
"""What is left of a gain whose logarithm is taken, where likeness takes all of it."""


class Weighing:
    """Keys of K candidates; see `chooser.Weigh`.

    Args:
        scale: What gains mean.
        typical: The utility of a typical candidate: what a gain has above it is discounted by
            likeness. Of gains that are logarithms all is.
        diversity: From 0 to 1.
        likeness: To the batch so far, which grows outside; None without `diversity`.
        charges: What the price of each is worth, shape (K,); None: nothing.
    """

    def __init__(
        self,
        scale: Scale,
        typical: float,
        diversity: float,
        likeness: Likeness | None,
        charges: FloatArray | None,
    ) -> None:
        self._scale = scale
        self._typical = typical
        self._diversity = diversity
        self._likeness = likeness
        self._charges = charges

    def __call__(self, gains: FloatArray, positions: IntArray) -> FloatArray:
        """Keys of some candidates, shape (n,)."""
        keys = gains
        if self._likeness is not None:
            keys = self._discounted(keys, self._likeness.greatest[positions])
        return keys if self._charges is None else keys - self._charges[positions]

    def _discounted(self, gains: FloatArray, likeness: FloatArray) -> FloatArray:
        kept = 1 - self._diversity * likeness
        if self._scale is Scale.LOG:
            return gains + np.log(np.maximum(kept, _LEAST))
        above = gains - self._typical
        return np.where(above > 0, self._typical + above * kept, gains)
