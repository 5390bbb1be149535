"""Made-up screens: an ensemble fitted briefly, and the space that it is asked to scan."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from acquisition.belief.beliefs import MemberBeliefs
from acquisition.belief.marginals import Marginals
from acquisition.belief.member_rater import MemberRater, Tiling
from acquisition.limits.keeper import Keeper
from acquisition.limits.offer import Gate, Survey
from acquisition.scan import Scan
from acquisition.scanning.found import Keeping
from acquisition.scanning.pool import Pool
from acquisition.scanning.sweep import Sweep
from loop.domain.goal import Goal, Readout
from loop.ports.arrays import Combinations, FloatArray, IntArray, Representations, TrainingSet
from loop.ports.engine import BatchRequest, Compute, Limits, SurrogateProblem, silent
from loop.space import VirtualSpace
from surrogate.ensemble import Ensemble

MEMBERS, WIDTH, COLUMNS, WELLS, POOL = 16, 128, 64, 768, 5_000
NOBODY: IntArray = np.empty(0, dtype=np.int64)


def bound(asked: tuple[Marginals, ...]) -> Tensor:
    """Mean plus one epistemic SD."""
    return asked[0].mean + asked[0].epistemic_sd


@dataclass(frozen=True)
class Screen:
    """An ensemble of 16 members 128 wide, and all sets of so many of its perturbagens."""

    perturbagens: int
    order: int = 2
    levels: int = 1
    device: str = "cpu"

    def space(self) -> VirtualSpace:
        """The space."""
        return VirtualSpace([self.levels] * self.perturbagens, 1, (self.order,))

    def ensemble(self) -> Ensemble:
        """Fitted by a few steps, for no figure hangs on how well it has learned."""
        rng = np.random.default_rng(0)
        features = rng.normal(size=(self.perturbagens, COLUMNS))
        known = np.ones(self.perturbagens, dtype=bool)
        doses = np.tile(np.arange(self.levels, dtype=float), (self.perturbagens, 1))
        given = Representations(features, known, np.ones((1, 1)), doses)
        settings = {"members": MEMBERS, "width": WIDTH, "steps": 20}
        compute = Compute(self.device)
        fitted = Ensemble(SurrogateProblem(given, self.order, 1, settings, compute))
        fitted.fit(self._wells(features, rng), rng)
        return fitted

    def _wells(self, features: FloatArray, rng: np.random.Generator) -> TrainingSet:
        space = self.space()
        addresses = np.unique(rng.integers(0, len(space), WELLS))
        sets = space.unrank(addresses)
        count = len(addresses)
        truth = features[sets.components].sum(axis=(1, 2)) / COLUMNS**0.5
        return TrainingSet(
            sets,
            (truth + rng.normal(size=count))[:, None],
            np.ones((count, 1), dtype=np.int64),
            np.full((count, 1), np.nan),
            rng.integers(2**63, size=count).astype(np.uint64),
            np.zeros(count, dtype=bool),
        )


class Ready:
    """A fitted ensemble and its space, ready to be scanned."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.space = screen.space()
        self.ensemble = screen.ensemble()
        self.beliefs = MemberBeliefs(self.ensemble, 1)

    def tiling(self, precision: str) -> Tiling:
        """The tiles of the ensemble."""
        tiling = self.beliefs.tiling(self.space, precision)
        if tiling is None:
            msg = "the ensemble knows no tiles"
            raise RuntimeError(msg)
        return tiling

    def sweep(self, tiling: Tiling, threads: int) -> Sweep:
        """A sweep by the product's own parts, as `Scan` puts them together."""
        rater = MemberRater(tiling, bound, None)
        gate = Gate(self.space, NOBODY, Keeper(Limits()))
        return Sweep(self.space, rater, gate, Keeping(POOL + POOL // 20, 1, 1), threads)

    def scan(self, threads: int, tiles: bool = True, limit: int = 10**12) -> Pool:
        """A scan, the exact rating of what is left over included; without `tiles` by rows.

        A space larger than `limit` is not rated whole; see `acquisition.cascade.cascade`.
        """
        nothing = self.space.unrank(NOBODY)
        readouts, compute = (Readout("gi"),), Compute(self.screen.device, threads=threads)
        request = BatchRequest(
            self.space,
            NOBODY,
            self.ensemble,
            Goal.MAXIMIZE,
            readouts,
            None,
            nothing,
            128,
            {},
            compute=compute,
        )
        survey = Survey(len(self.space), limit, 1)
        scan = Scan(survey, 32_768, 1, bound, None)
        beliefs = self.beliefs if tiles else RowsOnly(self.ensemble, 1)
        return scan.best(request, beliefs, NOBODY, Keeper(Limits()), POOL, silent)

    def pairs(self, count: int) -> Combinations:
        """Some candidates, in the order of their addresses."""
        return self.space.unrank(np.arange(min(count, len(self.space)), dtype=np.int64))


class RowsOnly(MemberBeliefs):
    """The same beliefs without tiles."""

    def tiling(self, space: object, precision: str) -> None:
        """None."""
