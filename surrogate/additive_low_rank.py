"""Bayesian additive effects with interactions of low rank: the baseline that learns a map.

The additive part is `linear`; on top, each perturbagen has a vector, and a pair acts by the
product of two (`surrogate.low_rank`). Chains come in four groups, each of which never sees one
quarter of the wells, for life: so every well has chains that judge it without having seen it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loop.ports.arrays import BoolArray, Combinations, FloatArray, IntArray
from loop.ports.engine import Progress
from surrogate.bagging import mixed
from surrogate.bayesian_regression import learned_group_variances
from surrogate.item_form import mixed_alone
from surrogate.item_places import ItemPlaces
from surrogate.linear_features import LinearFeatures
from surrogate.linear_form import LinearForm
from surrogate.low_rank import Draws, Rows, drawn
from surrogate.mixed_tiler import MixedTiler
from surrogate.out_of_bag import out_of_bag
from surrogate.plain_arrays import floats
from surrogate.representation.whitening import Whitenings
from surrogate.settings import Range
from surrogate.solution import Arrays, Observed, Solution
from surrogate.solved_surrogate import SolvedSurrogate

_FOLDS = 4
_CHUNK = 2_048
_STEPS = 40
_LEAST_SWEEPS = 8
_DRAWN_AT_MOST = 512 * 32


class AdditiveLowRank(SolvedSurrogate):
    """Additive effects and a map of low rank; see the modules.

    A fit takes `sweeps` Gibbs sweeps of 4 x `chains` chains, each O(P' n' r^2) for P' measured
    perturbagens with n' rows each, all on the CPU in float64, anew every time: some 3 s for 768
    pairs of 450. Past 512 measured perturbagens there are fewer sweeps, down to 8, because they
    are met one by one: 2,000 would take minutes. A perturbagen acts on others alike at every dose
    and in every context. For a perturbagen that was never in a pair the map is a guess of mean 0;
    its URs do not enter it.
    Noise is what the additive part leaves, so it is not too small.
    """

    name = "additive-low-rank"
    family = "linear"
    known_settings: ClassVar[Mapping[str, Range]] = {
        "components": Range(64, 1, 4096, whole=True),
        "rank": Range(6, 1, 64, whole=True),
        "chains": Range(3, 1, 64, whole=True),
        "sweeps": Range(32, 8, 1e5, whole=True),
    }

    def _learned(self, observed: Observed, before: Solution | None, progress: Progress) -> Solution:
        features = self._features(observed.whitenings)
        groups = features.groups(self._problem.slots)
        columns = features(observed.combinations)
        generator = torch.Generator().manual_seed(observed.seed)
        seen = self._seen(observed)
        readouts = observed.standard.shape[1]
        found: list[Draws] = []
        noises = np.ones(readouts)
        for readout in range(readouts):
            rows = observed.measured(readout)
            values, wells = observed.standard[rows, readout], observed.wells[rows, readout]
            rng = np.random.default_rng(observed.seed)
            prior, noises[readout] = learned_group_variances(
                columns[rows], groups, values, wells, rng, _STEPS
            )

            def told(share: float, first: int = readout) -> None:
                progress((first + 0.99 * share) / readouts, "drawing effects and their map")

            found.append(
                drawn(
                    Rows(columns[rows], observed.combinations.components[rows], values, wells),
                    seen[:, rows],
                    prior,
                    noises[readout],
                    len(self._problem.representations.perturbagens),
                    int(self._settings["rank"]),
                    _affordable(int(self._settings["sweeps"]), observed.combinations.components),
                    generator,
                    told,
                )
            )
        fold = _judged(found, features, observed, seen)
        return _Mapped(features, self._problem.slots, found, np.sqrt(noises), fold)

    def _reopened(
        self,
        arrays: Arrays,
        whitenings: Whitenings,
        seed: int,
        fold: tuple[FloatArray, FloatArray],
    ) -> Solution:
        pairs = zip(floats(arrays["weights"]), floats(arrays["vectors"]), strict=True)
        draws = [Draws(*each) for each in pairs]
        return _Mapped(
            self._features(whitenings), self._problem.slots, draws, floats(arrays["noise"]), fold
        )

    def _features(self, whitenings: Whitenings) -> LinearFeatures:
        return LinearFeatures(self._problem.representations, whitenings, self._prior)

    def _seen(self, observed: Observed) -> BoolArray:
        """Which chain sees which row, shape (C, n): all but the quarter of its group."""
        lots = mixed(observed.identities ^ np.uint64(observed.seed)) % np.uint64(_FOLDS)
        groups = np.repeat(np.arange(_FOLDS, dtype=np.uint64), int(self._settings["chains"]))
        seen: BoolArray = groups[:, None] != lots[None, :]
        return seen


def _affordable(sweeps: int, components: IntArray) -> int:
    met = len(np.unique(components[components >= 0]))
    return max(min(sweeps, _LEAST_SWEEPS), min(sweeps, _DRAWN_AT_MOST // max(met, 1)))


@dataclass(frozen=True, slots=True)
class _Mapped:
    """A `Solution` for k `slots`: draws of each readout, and the SD of one well, shape (m,)."""

    features: LinearFeatures
    slots: int
    draws: list[Draws]
    noise: FloatArray
    fold: tuple[FloatArray, FloatArray] = field(repr=False)

    def marginals(self, combinations: Combinations) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the truth, each (N, m)."""
        means = [np.zeros((0, len(self.draws)))]
        variances = list(means)
        for first in range(0, len(combinations), _CHUNK):
            said = self._said(combinations[slice(first, first + _CHUNK)])
            means.append(said.mean(axis=0))
            variances.append(said.var(axis=0, ddof=1))
        return np.concatenate(means), np.concatenate(variances)

    def members(self, combinations: Combinations) -> Tensor:
        """What each draw says, shape (S, N, m)."""
        values = [np.zeros((self.draws[0].weights.shape[1], 0, len(self.draws)))]
        for first in range(0, len(combinations), _CHUNK):
            values.append(self._said(combinations[slice(first, first + _CHUNK)]))
        return torch.as_tensor(np.concatenate(values, axis=1))

    def tiler(
        self, items: Combinations, readouts: tuple[int, ...], sizes: Tensor, centres: Tensor
    ) -> MixedTiler:
        """A tiler of the draws; see `surrogate.linear_form`."""
        forms = tuple(
            LinearForm(
                self.features,
                items,
                self.slots,
                self.draws[readout].weights,
                self.draws[readout].vectors,
                sizes,
            )
            for readout in readouts
        )
        return mixed_alone(ItemPlaces.of(items), forms, sizes, centres)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """As arrays by name."""
        return {
            "weights": np.stack([each.weights for each in self.draws]),
            "vectors": np.stack([each.vectors for each in self.draws]),
            "noise": self.noise,
        }

    def _said(self, combinations: Combinations) -> FloatArray:
        return _said_by(self.draws, self.features, combinations)


def _said_by(
    draws: list[Draws], features: LinearFeatures, combinations: Combinations
) -> FloatArray:
    """What each draw says of each row, shape (S, N, m)."""
    columns = features(combinations)
    return np.stack([each(columns, combinations.components).T for each in draws], axis=2)


def _judged(
    draws: list[Draws], features: LinearFeatures, observed: Observed, seen: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """What chains say of wells that they did not see: mean and variance, (n, m); `seen` (C, n)."""
    said = np.concatenate(
        [
            _said_by(draws, features, observed.combinations[slice(first, first + _CHUNK)])
            for first in range(0, len(observed.standard), _CHUNK)
        ],
        axis=1,
    )
    jury = out_of_bag(said, np.tile(seen, (len(said) // len(seen), 1)))
    return jury.mean, jury.variance
