"""What a scan should find, by looking at every address."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from acquisition.belief.beliefs import MemberBeliefs
from acquisition.belief.marginals import Marginals
from acquisition.limits.keeper import Keeper
from acquisition.scatter import scattered
from loop.ports.arrays import FloatArray, IntArray
from loop.ports.engine import CandidateSpace, Limits
from tests.acquisition.tiled_draws import TiledDraws

Rating = Callable[[tuple[Marginals, ...]], Tensor]


@dataclass(frozen=True)
class BruteForce:
    """Every candidate that may be chosen, and what each rule says of it."""

    addresses: IntArray
    utilities: FloatArray
    by_member: FloatArray
    salt: int

    @classmethod
    def of(
        cls,
        space: CandidateSpace,
        draws: TiledDraws,
        utility: Rating,
        favourites: Rating,
        excluded: IntArray,
        limits: Limits,
        salt: int,
    ) -> "BruteForce":
        addresses = np.setdiff1d(np.arange(len(space), dtype=np.int64), excluded)
        combinations = space.unrank(addresses)
        keep = space.permitted(combinations) & Keeper(limits).allowed(combinations)
        addresses, combinations = addresses[keep], combinations[keep]
        marginals = MemberBeliefs(draws, 1).marginals(combinations)
        utilities = utility(marginals).double().numpy()
        return cls(addresses, utilities, favourites(marginals).double().numpy(), salt)

    def best(self, size: int) -> list[int]:
        """The addresses of the `size` best, best first."""
        return self._best(self.utilities, size)

    def favourites(self, member: int, size: int) -> list[int]:
        """The same for one member."""
        return self._best(self.by_member[member], size)

    def without(self, keep: "np.typing.NDArray[np.bool_]") -> "BruteForce":
        """Only some of them."""
        return BruteForce(
            self.addresses[keep], self.utilities[keep], self.by_member[:, keep], self.salt
        )

    def _best(self, utilities: FloatArray, size: int) -> list[int]:
        ties = scattered(self.addresses, self.salt)
        order = np.lexsort((ties, -utilities.astype(np.float32)))[:size]
        answer: list[int] = self.addresses[order].tolist()
        return answer
