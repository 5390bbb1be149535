"""Bayesian linear regression on what is in a set: hard to beat when data are few.

Columns are those of `surrogate.linear_features`, the posterior is exact
(`surrogate.bayesian_regression`; Bishop, 2006, section 3.3), variances maximise the evidence.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loop.ports.arrays import Combinations, FloatArray
from loop.ports.engine import Progress
from surrogate.bayesian_regression import Regression, learned_group_variances
from surrogate.item_form import mixed_halves
from surrogate.item_places import ItemPlaces
from surrogate.linear_features import LinearFeatures
from surrogate.linear_form import LinearForm
from surrogate.mixed_tiler import MixedTiler
from surrogate.plain_arrays import floats
from surrogate.representation.whitening import Whitenings
from surrogate.settings import Range
from surrogate.solution import (
    Arrays,
    Observed,
    Solution,
    combination_arrays,
    combinations_of,
)
from surrogate.solved_surrogate import SolvedSurrogate

_CHUNK = 4_096


class Linear(SolvedSurrogate):
    """Bayesian linear regression, one for each readout; see the modules.

    A fit costs O(n A q + A^3) for A <= 2,048 columns that data speak of, q of them dense (some
    150), all on the CPU in float64; prediction O(A q) a perturbation for a belief, O(q S) for S
    `draws` of the weights (an even number), which are Thompson draws. What a pair does beyond its
    parts is seen only through products of the 8 leading components of the URs: without URs it
    is additive.
    """

    name = "linear"
    family = "linear"
    known_settings: ClassVar[Mapping[str, Range]] = {
        "components": Range(64, 1, 4096, whole=True),
        "draws": Range(64, 2, 4096, whole=True),
        "steps": Range(40, 2, 1e5, whole=True),
    }

    def _learned(self, observed: Observed, before: Solution | None, progress: Progress) -> Solution:
        features = self._features(observed.whitenings)
        groups = features.groups(self._problem.slots)
        columns = features(observed.combinations)
        shape = observed.standard.shape
        priors, noises = np.ones((shape[1], len(groups))), np.ones(shape[1])
        for readout in range(shape[1]):
            rows = observed.measured(readout)
            priors[readout], noises[readout] = learned_group_variances(
                columns[rows],
                groups,
                observed.standard[rows, readout],
                observed.wells[rows, readout],
                np.random.default_rng(observed.seed),
                int(self._settings["steps"]),
            )
            progress((readout + 0.5) / shape[1], "learning variances of the linear regression")
        told = _Told(observed.combinations, observed.standard, observed.wells, priors, noises)
        return self._regressed(told, features, observed.seed, None)

    def _reopened(
        self,
        arrays: Arrays,
        whitenings: Whitenings,
        seed: int,
        fold: tuple[FloatArray, FloatArray],
    ) -> Solution:
        told = _Told(
            combinations_of(arrays, "observed"),
            *(floats(arrays[name]) for name in ("standard", "wells", "priors", "noises")),
        )
        return self._regressed(told, self._features(whitenings), seed, fold)

    def _features(self, whitenings: Whitenings) -> LinearFeatures:
        return LinearFeatures(self._problem.representations, whitenings, self._prior)

    def _regressed(
        self,
        told: "_Told",
        features: LinearFeatures,
        seed: int,
        fold: tuple[FloatArray, FloatArray] | None,
    ) -> "_Regressed":
        columns = features(told.combinations)
        generator = torch.Generator().manual_seed(seed)
        means, variances, solved, draws = [], [], [], []
        for readout, values in enumerate(told.standard.T):
            rows = np.flatnonzero(np.isfinite(values))
            wells = told.wells[rows, readout]
            each = Regression.solve(
                columns[rows], values[rows], wells, told.priors[readout], told.noises[readout]
            )
            if fold is None:
                mean, variance = each.marginals(columns)
                mean[rows], variance[rows] = each.leave_one_out(columns[rows], values[rows], wells)
                means.append(mean)
                variances.append(variance)
            solved.append(each)
            draws.append(each.draws(2 * (int(self._settings["draws"]) // 2), generator))
        kept = fold or (np.stack(means, axis=1), np.stack(variances, axis=1))
        return _Regressed(told, features, solved, draws, kept)


@dataclass(frozen=True, slots=True)
class _Told:
    """Observations and learned variances: enough to solve it again."""

    combinations: Combinations
    standard: FloatArray
    wells: FloatArray
    priors: FloatArray
    noises: FloatArray


@dataclass(frozen=True, slots=True)
class _Regressed:
    """A `Solution`; `draws` are weights, one matrix (D, S) a readout."""

    told: _Told
    features: LinearFeatures
    solved: list[Regression]
    draws: list[FloatArray]
    fold: tuple[FloatArray, FloatArray] = field(repr=False)

    @property
    def noise(self) -> FloatArray:
        """The SD of one well, shape (m,)."""
        return np.sqrt(self.told.noises)

    def marginals(self, combinations: Combinations) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the truth, each (N, m)."""
        none = np.zeros((0, len(self.solved)))
        means, variances = [none], [none]
        for first in range(0, len(combinations), _CHUNK):
            columns = self.features(combinations[slice(first, first + _CHUNK)])
            answers = [each.marginals(columns) for each in self.solved]
            means.append(np.stack([mean for mean, _ in answers], axis=1))
            variances.append(np.stack([variance for _, variance in answers], axis=1))
        return np.concatenate(means), np.concatenate(variances)

    def members(self, combinations: Combinations) -> Tensor:
        """What each member or draw says, shape (S, N, m)."""
        values = [np.zeros((0, self.draws[0].shape[1], len(self.draws)))]
        for first in range(0, len(combinations), _CHUNK):
            columns = self.features(combinations[slice(first, first + _CHUNK)])
            values.append(np.stack([columns.times(each) for each in self.draws], axis=2))
        return torch.as_tensor(np.concatenate(values)).transpose(0, 1)

    def tiler(
        self, items: Combinations, readouts: tuple[int, ...], sizes: Tensor, centres: Tensor
    ) -> MixedTiler:
        """A tiler of the draws; see `surrogate.linear_form`."""
        slots = self.told.combinations.slots
        forms = []
        for readout in readouts:
            one, other = np.split(self.draws[readout], 2, axis=1)
            mean = (0.5 * (one + other)).mean(axis=1, keepdims=True)
            weights = np.concatenate([mean, 0.5 * (one - other)], axis=1)
            vectors = np.zeros((0, 0, weights.shape[1]))
            forms.append(LinearForm(self.features, items, slots, weights, vectors, sizes))
        return mixed_halves(ItemPlaces.of(items), tuple(forms), sizes, centres)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """As arrays by name."""
        return {
            **combination_arrays(self.told.combinations, "observed"),
            "standard": self.told.standard,
            "wells": self.told.wells,
            "priors": self.told.priors,
            "noises": self.told.noises,
        }
