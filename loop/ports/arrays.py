"""The arrays that cross the border between the hub and the engine.

Shape letters: N perturbations, n observations, P perturbagens, C contexts, L dose levels,
d features of a perturbagen, k slots (the largest order), m readouts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Combinations:
    """N perturbations, in arrays.

    Attributes:
        components: Positions of perturbagens in the library, shape (N, k), int64, ascending
            along a row; -1 in the empty slots, which stand last.
        levels: Position of each component's dose among its perturbagen's levels, shape (N, k),
            int64; 0 for a perturbagen without doses, -1 in empty slots.
        contexts: Position of the context in the library, shape (N,), int64.
    """

    components: IntArray
    levels: IntArray
    contexts: IntArray

    def __len__(self) -> int:
        """N."""
        return len(self.contexts)

    def __getitem__(self, rows: slice | IntArray | BoolArray) -> "Combinations":
        """The perturbations of some rows."""
        return Combinations(self.components[rows], self.levels[rows], self.contexts[rows])

    @property
    def slots(self) -> int:
        """The k of the shapes."""
        return int(self.components.shape[1])

    def features(self) -> FloatArray:
        """One row a perturbation, shape (N, 2k + 1): components, levels, context.

        These are the columns of the `X` that a surrogate's BoTorch model takes; float64 holds
        every position exactly.
        """
        parts = (self.components, self.levels, self.contexts[:, None])
        return np.concatenate(parts, axis=1).astype(np.float64)

    @classmethod
    def of_features(cls, features: FloatArray) -> "Combinations":
        """The inverse of `features`."""
        whole = np.asarray(features).round().astype(np.int64)
        k = (whole.shape[1] - 1) // 2
        return cls(whole[:, :k], whole[:, k : 2 * k], whole[:, 2 * k])

    @classmethod
    def joined(cls, parts: "list[Combinations]") -> "Combinations":
        """Several blocks under one another (at least one; all with the same k)."""
        return cls(
            np.concatenate([part.components for part in parts]),
            np.concatenate([part.levels for part in parts]),
            np.concatenate([part.contexts for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class View:
    """Some columns of the perturbagens' URs that came from one source and are known together.

    Attributes:
        name: What the source calls them, such as `go` or `morgan`.
        width: How many columns.
        known: Which perturbagens the source covers, shape (P,).
    """

    name: str
    width: int
    known: BoolArray


@dataclass(frozen=True, slots=True)
class Representations:
    """The universal representations (URs) that a surrogate is given.

    Attributes:
        perturbagens: URs of the library's perturbagens, shape (P, d), views side by side; zeros
            where unknown; d may be 0, and then identity is all there is.
        known: Which rows at least one view knows, shape (P,).
        contexts: URs of the unperturbed states, shape (C, c); one-hot where none were given.
        doses: log10 of each level's amount, shape (P, L), NaN past a perturbagen's last level;
            0 for a perturbagen without doses (then L >= 1 and its level is 0).
        views: The blocks of columns of `perturbagens`, in order, their widths summing to d;
            empty: one block, known where `known`.
    """

    perturbagens: FloatArray
    known: BoolArray
    contexts: FloatArray
    doses: FloatArray
    views: tuple[View, ...] = ()


@dataclass(frozen=True, slots=True)
class PriorScreen:
    """An earlier screen in one context with one readout, in positions of its own.

    It may come from another context, readout, library or laboratory. P' is the number of its
    perturbagens, N of its rows; its slots and doses need not be the campaign's.

    Attributes:
        name: What to call it in a sentence, such as `jurkat_pairs.csv, gi`.
        combinations: What was done, N rows, each once; contexts are all 0.
        values: Means over replicates in the screen's own unit, shape (N,), finite.
        doses: log10 of each level's amount, shape (P', L'), as in `Representations`.
        positions: Where each of the campaign's perturbagens stands in the screen, shape (P,);
            -1 where the screen does not hold it.
    """

    name: str
    combinations: Combinations
    values: FloatArray
    doses: FloatArray
    positions: IntArray

    def __len__(self) -> int:
        """The N of the shapes."""
        return len(self.values)


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """n observed perturbations.

    Attributes:
        combinations: What was done, n rows, each perturbation once.
        values: Means over replicates in the readouts' units, shape (n, m); NaN where missing.
        replicates: Wells behind each mean, shape (n, m), int64; 0 where missing.
        spread: SD between replicates, shape (n, m); NaN where fewer than two.
        identities: A number that names the perturbation for life, shape (n,), uint64: the same
            in every round, whatever else was measured. Bagging masks hang on it.
        audit: Which rows were drawn uniformly at random, shape (n,).
    """

    combinations: Combinations
    values: FloatArray
    replicates: IntArray
    spread: FloatArray
    identities: npt.NDArray[np.uint64]
    audit: BoolArray

    def __len__(self) -> int:
        """The n of the shapes."""
        return len(self.values)

    def __getitem__(self, rows: IntArray | BoolArray) -> "TrainingSet":
        """The observations of some rows."""
        return TrainingSet(
            self.combinations[rows],
            self.values[rows],
            self.replicates[rows],
            self.spread[rows],
            self.identities[rows],
            self.audit[rows],
        )


@dataclass(frozen=True, slots=True)
class Belief:
    """What a surrogate predicts of N perturbations, each array (N, m), in readout units.

    `mean`; `epistemic_sd`, what more data would remove; `aleatoric_sd`, the noise of one well.
    """

    mean: FloatArray
    epistemic_sd: FloatArray
    aleatoric_sd: FloatArray

    def __len__(self) -> int:
        """The N of the shapes."""
        return len(self.mean)

    def __getitem__(self, rows: slice | IntArray | BoolArray) -> "Belief":
        """The belief about some rows."""
        return Belief(self.mean[rows], self.epistemic_sd[rows], self.aleatoric_sd[rows])

    @property
    def sd(self) -> FloatArray:
        """The SD of one new measurement, shape (N, m)."""
        return np.hypot(self.epistemic_sd, self.aleatoric_sd)

    def sd_of_means(self, wells: IntArray | int) -> FloatArray:
        """The SD of the mean of so many new measurements, shape (N, m)."""
        return np.hypot(self.epistemic_sd, self.aleatoric_sd / np.sqrt(np.maximum(wells, 1)))

    @classmethod
    def joined(cls, parts: "list[Belief]") -> "Belief":
        """Several blocks under one another (at least one)."""
        return cls(
            np.concatenate([part.mean for part in parts]),
            np.concatenate([part.epistemic_sd for part in parts]),
            np.concatenate([part.aleatoric_sd for part in parts]),
        )


@dataclass(frozen=True, slots=True)
class SurrogateState:
    """A fitted surrogate as plain data: arrays by name, and settings that JSON can hold."""

    arrays: Mapping[str, npt.NDArray[np.generic]]
    settings: Mapping[str, object]
