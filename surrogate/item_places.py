"""Where the components of perturbations stand in a table of items."""

from dataclasses import dataclass

import numpy as np

from loop.domain.errors import InvalidError
from loop.ports.arrays import Combinations, IntArray


@dataclass(frozen=True, slots=True)
class ItemPlaces:
    """U items, and the place of each by its perturbagen and level.

    `table` has the shape (P + 1, L + 1); U stands where there is no item, so also for an empty
    slot, whose perturbagen and level are -1.
    """

    count: int
    table: IntArray

    @classmethod
    def of(cls, items: Combinations) -> "ItemPlaces":
        """Of items that are the first and only component of U perturbations."""
        who, level = items.components[:, 0], items.levels[:, 0]
        sizes = (int(who.max(initial=-1)) + 2, int(level.max(initial=-1)) + 2)
        table = np.full(sizes, len(items), dtype=np.int64)
        table[who, level] = np.arange(len(items))
        return cls(len(items), table)

    def __call__(self, combinations: Combinations) -> IntArray:
        """Places of the components of N perturbations, shape (N, k); U in empty slots.

        Raises:
            InvalidError: If a component is not among the items.
        """
        who, level = combinations.components, combinations.levels
        known = (who < len(self.table) - 1) & (level < self.table.shape[1] - 1)
        places = np.where(known, self.table[who * known, level * known], self.count)
        if ((places == self.count) & (who >= 0)).any():
            msg = (
                "A prefix has a component that is not among the tiler's items; ask for a tiler "
                "over the items of the space that the prefix comes from."
            )
            raise InvalidError(msg)
        return places
