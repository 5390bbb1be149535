"""How often one perturbagen may still occur in the batch (`max_uses`)."""

import numpy as np

from loop.ports.arrays import BoolArray, Combinations, IntArray


class UseLimits:
    """A count of uses that grows with the batch.

    Args:
        max_uses: How often a perturbagen may occur in the batch; 0: no limit.
        uses: How often each occurs already, shape (P,); copied.
    """

    def __init__(self, max_uses: int, uses: IntArray) -> None:
        self._max_uses = max_uses
        self._uses = uses.copy()
        self._chosen = 0

    def allowed(self, combinations: Combinations) -> BoolArray:
        """Which perturbations every perturbagen still has room for, shape (N,)."""
        if not self._max_uses:
            return np.ones(len(combinations), dtype=np.bool_)
        # The last entry answers for -1, the empty slot.
        room = np.append(self._uses < self._max_uses, True)
        return np.asarray(room[combinations.components].all(axis=1))

    def count(self, combination: Combinations) -> None:
        """Count the uses of one perturbation (N = 1) that joins the batch."""
        self._chosen += 1
        if self._max_uses:
            used = combination.components[0]
            self._uses[used[used >= 0]] += 1

    def ending(self) -> str:
        """That room was left for so few."""
        return (
            f" and max_uses = {self._max_uses} left room for {self._chosen:,}; "
            "ask for fewer, or let a perturbagen occur more often"
        )

    def note(self, passed_over: Combinations) -> str:
        """How many better candidates had no room; empty: none."""
        kept_out = int((~self.allowed(passed_over)).sum())
        if not kept_out:
            return ""
        return (
            f"Max_uses = {self._max_uses} kept out {kept_out:,} candidates of the short list "
            "that rate higher than the last chosen."
        )
