"""How much each candidate would add to the volume that a front dominates, draw by draw."""

import numpy as np
from torch import Tensor

from loop.ports.arrays import FloatArray, IntArray

_AT_ONCE = 1_000_000
"""Numbers in an array of (boxes, candidates) at a time."""


class FrontGains:
    """The expected gain of K candidates in dominated hypervolume, as the batch grows.

    Every draw has a front of its own: what was observed, and the draw's values of what is pending
    or chosen. What no front member dominates is cut into boxes; a candidate adds its share of
    each. A pick cuts the boxes that it reaches, and only those change any gain, so that all gains
    are exact at every pick.

    Args:
        observed: Values of what was observed, larger is better, shape (n, R).
        worst: The reference point: what lies at or below it in any readout counts for nothing,
            shape (R,).
        before: Draws of what is pending or chosen already, shape (S, C, R).
        pool: Draws of the K candidates, shape (S, K, R).

    Cost:
        O(K R B) for B boxes that a pick reaches in all draws together; memory O(S K).

    Source:
        Daulton, Balandat, Bakshy (2021), "Parallel Bayesian optimization of multiple noisy
        objectives with expected hypervolume improvement", NeurIPS: the sequential greedy of qNEHVI
        with observed values as they are. BoTorch's `qNoisyExpectedHypervolumeImprovement` gives
        the same values (tested); its logarithm is smoothed for gradients, which a choice among K
        has no use for.
    """

    def __init__(
        self, observed: FloatArray, worst: FloatArray, before: Tensor, pool: Tensor
    ) -> None:
        # Readouts first: each is a table of its own, (S, K).
        self._pool: FloatArray = np.ascontiguousarray(pool.numpy().transpose(2, 0, 1))
        readouts, draws, count = self._pool.shape
        lower = np.asarray(worst, dtype=np.float64)[None]
        boxes = _Boxes(lower, np.full((1, readouts), np.inf), np.zeros(1, dtype=np.int64))
        for values in front_of(observed):
            boxes.cut(values[None])
        self._boxes = boxes.in_every(draws)
        for values in before.numpy().swapaxes(0, 1):
            self._boxes.cut(values)
        self._gains = np.zeros((draws, count))
        self._add_shares(self._boxes, 1.0)

    def values(self) -> FloatArray:
        """The expected gain of each, shape (K,), in the product of the readouts' units."""
        # Subtracting shares leaves rounding behind where nothing is left.
        return np.asarray(self._gains.clip(min=0).mean(axis=0))

    def add(self, position: int) -> None:
        """Put a candidate on every draw's front."""
        gone, left = self._boxes.cut(self._pool[:, :, position].T)
        self._add_shares(gone, -1.0)
        self._add_shares(left, 1.0)

    def _add_shares(self, boxes: "_Boxes", sign: float) -> None:
        """Add what lies in some boxes to the gains, or take it off."""
        order = np.argsort(boxes.draws, kind="stable")
        at_once = max(1, _AT_ONCE // self._gains.shape[1])
        for start in range(0, len(order), at_once):
            some = order[start : start + at_once]
            draws, firsts = np.unique(boxes.draws[some], return_index=True)
            volumes: FloatArray = np.add.reduceat(self._volumes(boxes, some), firsts, axis=0)
            self._gains[draws] += sign * volumes

    def _volumes(self, boxes: "_Boxes", some: IntArray) -> FloatArray:
        """The volume that each candidate dominates of some boxes, shape (boxes, K)."""
        volumes = np.ones((len(some), self._gains.shape[1]))
        for readout, values in enumerate(self._pool):
            lower, upper = boxes.lower[some, readout, None], boxes.upper[some, readout, None]
            sides = np.minimum(values[boxes.draws[some]], upper)
            sides -= lower
            volumes *= np.maximum(sides, 0.0, out=sides)
        return volumes


class _Boxes:
    """Disjoint boxes that make up what no front member of their draw dominates.

    `lower` and `upper`, shape (B, R), and the `draws` they belong to, shape (B,).
    """

    def __init__(self, lower: FloatArray, upper: FloatArray, draws: IntArray) -> None:
        self.lower, self.upper, self.draws = lower, upper, draws

    def in_every(self, draws: int) -> "_Boxes":
        """These boxes, of one draw, for each of so many."""
        count = len(self.draws)
        which = np.repeat(np.arange(draws, dtype=np.int64), count)
        return _Boxes(np.tile(self.lower, (draws, 1)), np.tile(self.upper, (draws, 1)), which)

    def cut(self, values: FloatArray) -> tuple["_Boxes", "_Boxes"]:
        """Take away what values, shape (S, R), dominate in their draws.

        Returns:
            The boxes that were cut, and what is left of them.
        """
        values = values[self.draws]
        reached = (self.lower < values).all(axis=1)
        gone = _Boxes(self.lower[reached], self.upper[reached], self.draws[reached])
        left = gone._less(values[reached])
        parts = ((~reached, self), (slice(None), left))
        self.lower, self.upper, self.draws = (
            np.concatenate([getattr(boxes, name)[keep] for keep, boxes in parts])
            for name in ("lower", "upper", "draws")
        )
        return gone, left

    def _less(self, values: FloatArray) -> "_Boxes":
        """What lies above the values, shape (B, R), in at least one readout.

        One part for each readout: above the value in it, and not above in those before.
        """
        lowers, uppers, draws = [], [], []
        upper = self.upper.copy()
        for readout in range(values.shape[1]):
            above = upper[:, readout] > values[:, readout]
            lower = self.lower[above]
            lower[:, readout] = values[above, readout]
            lowers.append(lower)
            uppers.append(upper[above])
            draws.append(self.draws[above])
            upper[:, readout] = np.minimum(upper[:, readout], values[:, readout])
        return _Boxes(np.concatenate(lowers), np.concatenate(uppers), np.concatenate(draws))


def front_of(values: FloatArray) -> FloatArray:
    """The values that no other dominates, largest in the first readout first, shape (F, R)."""
    ordered = np.unique(values, axis=0)[::-1]
    kept: list[FloatArray] = []
    for each in ordered:
        # Whatever dominates another comes before it in this order.
        if not any((other >= each).all() for other in kept):
            kept.append(each)
    return np.array(kept).reshape(-1, values.shape[1])
