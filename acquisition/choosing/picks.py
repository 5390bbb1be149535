"""The batch so far."""

from dataclasses import dataclass, field

import numpy as np

from loop.ports.arrays import IntArray


@dataclass(slots=True)
class Picks:
    """Addresses, scores and ranks in the order chosen; a rank of 0 is not known.

    Of the first scan `scanned` is how many candidates it rated, and `listed` the rank of the
    last that it kept. `out_of_turn` counts those chosen because nobody who was due was left.
    """

    addresses: list[int] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    scanned: int = 0
    listed: int = 0
    out_of_turn: int = 0

    def __len__(self) -> int:
        """How many were chosen."""
        return len(self.addresses)

    def take(self, address: int, score: float, rank: int) -> None:
        """Choose one more."""
        self.addresses.append(address)
        self.scores.append(score)
        self.ranks.append(rank)

    def copy(self) -> "Picks":
        """Picks that grow on their own."""
        lists = (list(self.addresses), list(self.scores), list(self.ranks))
        return Picks(*lists, self.scanned, self.listed, self.out_of_turn)

    def array(self) -> IntArray:
        """The addresses, shape (q,)."""
        return np.array(self.addresses, dtype=np.int64)
