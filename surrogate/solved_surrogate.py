"""What surrogates share that learn in standard units and keep what they learned as arrays.

A kind of surrogate says how it learns and how its arrays are read again; units, settings, refusals
and the BoTorch border are the same for all of them and stand here.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loop.domain.errors import IncompatibleError, NothingMeasuredError
from loop.ports.arrays import Belief, Combinations, FloatArray, SurrogateState, TrainingSet
from loop.ports.engine import Progress, SurrogateProblem, silent
from surrogate.botorch_model import MemberModel
from surrogate.mixed_tiler import MixedTiler
from surrogate.placement import Placement
from surrogate.plain_arrays import floats
from surrogate.prior_evidence import PriorEvidence
from surrogate.readout_scale import ReadoutScale
from surrogate.representation.whitening import Whitenings
from surrogate.settings import Range, read_settings
from surrogate.solution import Arrays, Observed, Solution, Tiled


@dataclass(frozen=True, slots=True)
class _Solved:
    solution: Solution
    scale: ReadoutScale
    whitenings: Whitenings
    seed: int


class SolvedSurrogate(ABC):
    """A surrogate around a `Solution`; a subclass gives the four things named below."""

    name: ClassVar[str]
    family: ClassVar[str]
    known_settings: ClassVar[Mapping[str, Range]]

    def __init__(self, problem: SurrogateProblem) -> None:
        """Take up a problem.

        Raises:
            InvalidError: If a setting is unknown or out of range, or there is no such device.
        """
        self._problem = problem
        self._settings = read_settings(self.name, problem.settings, self.known_settings)
        self._placement = Placement.of(problem.compute)
        self._prior = PriorEvidence(problem.prior, problem.representations.doses)
        self._solved: _Solved | None = None

    @abstractmethod
    def _learned(self, observed: Observed, before: Solution | None, progress: Progress) -> Solution:
        """Learn; `before` is what was learned last, where there is something."""

    @abstractmethod
    def _reopened(
        self,
        arrays: Arrays,
        whitenings: Whitenings,
        seed: int,
        fold: tuple[FloatArray, FloatArray],
    ) -> Solution:
        """The solution that gave `arrays`."""

    def fit(
        self, training: TrainingSet, rng: np.random.Generator, progress: Progress = silent
    ) -> None:
        """Learn from observations; if `progress` raises, what was learned before stands.

        Raises:
            NothingMeasuredError: If no value is finite.
        """
        if not np.isfinite(training.values).any():
            msg = "The training set holds no value; ingest results first."
            raise NothingMeasuredError(msg)
        seed = int(rng.integers(2**63))
        before = self._solved
        scale = ReadoutScale.of(training.values)
        values = np.where(np.isfinite(training.values), training.values, np.nan)
        observed = Observed(
            training.combinations,
            scale.standardise(values),
            np.where(np.isfinite(values), np.maximum(training.replicates, 1), 1).astype(np.float64),
            training.identities,
            before.whitenings if before else self._whitenings(),
            before.seed if before else seed,
        )
        with self._placement.computing():
            solution = self._learned(observed, before.solution if before else None, progress)
        self._solved = _Solved(solution, scale, observed.whitenings, observed.seed)
        progress(1.0, f"fitting the surrogate {self.name}")

    def believe(self, combinations: Combinations) -> Belief:
        """Predict N perturbations: mean and SD of the truth, and the noise of one well."""
        with self._placement.computing(), torch.no_grad():
            mean, variance = self._known.solution.marginals(combinations)
        return self._belief(mean, variance)

    def member_means(self, combinations: Combinations) -> Tensor:
        """What each member or draw says, shape (S, N, m), float32, readout units, on the device.

        The same perturbation gets the same values in every call.
        """
        known = self._known
        size, centre = (
            self._placement.tensor(known.scale.sd),
            self._placement.tensor(known.scale.mean),
        )
        with self._placement.computing(), torch.no_grad():
            values = known.solution.members(combinations)
            return (values.to(size) * size + centre).to(torch.float32)

    def tiler(
        self, items: Combinations, readouts: tuple[int, ...], precision: str
    ) -> MixedTiler | None:
        """A tiler over items, in the compute's dtype whatever the `precision`.

        None where earlier screens are heeded (they are asked perturbation by perturbation), and
        for a solution that is no sum over items and pairs.
        """
        known = self._known
        if self._prior.names or not isinstance(known.solution, Tiled):
            return None
        asked = list(readouts)
        sizes, centres = (self._placement.tensor(e) for e in (known.scale.sd, known.scale.mean))
        with self._placement.computing():
            return known.solution.tiler(items, readouts, sizes[asked], centres[asked])

    def noise_sd(self) -> Tensor:
        """The SD of one well's noise, shape (m,), float32, in readout units, on the device."""
        known = self._known
        sd = known.solution.noise * known.scale.sd
        return torch.tensor(sd, dtype=torch.float32, device=self._placement.device)

    def out_of_fold(self) -> Belief:
        """Each row of the last fit as if it had not been observed."""
        return self._belief(*self._known.solution.fold)

    def state(self) -> SurrogateState:
        """Plain arrays, the out-of-fold beliefs among them."""
        known = self._known
        mean, variance = known.solution.fold
        arrays = {
            **known.solution.arrays(),
            "fold.mean": mean,
            "fold.variance": variance,
            "scale.mean": known.scale.mean,
            "scale.sd": known.scale.sd,
            "sizes": self._sizes,
            **known.whitenings.arrays(),
        }
        return SurrogateState(arrays, {"surrogate": self.name, "seed": known.seed})

    def restore(self, state: SurrogateState) -> None:
        """Become the surrogate that gave `state`.

        Raises:
            IncompatibleError: If another surrogate gave it, or for another library.
        """
        stored = state.settings.get("surrogate")
        there = tuple(np.asarray(state.arrays.get("sizes", ()), dtype=np.int64).tolist())
        here = tuple(self._sizes.tolist())
        if stored != self.name or there != here:
            msg = (
                f"The stored surrogate {stored!r} was learned for (perturbagens, dose levels, "
                f"contexts, slots, readouts) = {there}; this is {self.name!r} for {here}; "
                "retrain from scratch."
            )
            raise IncompatibleError(msg)
        arrays = state.arrays
        scale = ReadoutScale(floats(arrays["scale.mean"]), floats(arrays["scale.sd"]))
        whitenings = Whitenings.of_arrays(arrays)
        seed = int(str(state.settings["seed"]))
        fold = floats(arrays["fold.mean"]), floats(arrays["fold.variance"])
        with self._placement.computing():
            solution = self._reopened(arrays, whitenings, seed, fold)
        self._solved = _Solved(solution, scale, whitenings, seed)

    def model(self) -> MemberModel:
        """The BoTorch model whose posterior holds every member's or draw's value."""
        self._known  # noqa: B018 (refuses before anything is learned)
        return MemberModel(self.member_means, self._problem.readouts)

    @property
    def _known(self) -> _Solved:
        if self._solved is None:
            msg = "This surrogate has learned nothing yet; fit or restore it first."
            raise NothingMeasuredError(msg)
        return self._solved

    @property
    def _sizes(self) -> npt.NDArray[np.int64]:
        here = self._problem.representations
        levels = here.doses.shape[1]
        sizes = (len(here.perturbagens), levels, len(here.contexts), self._problem.slots)
        return np.array([*sizes, self._problem.readouts], dtype=np.int64)

    def _whitenings(self) -> Whitenings:
        rank = int(self._settings.get("components", 64))
        return Whitenings.of(self._problem.representations, rank)

    def _belief(self, mean: FloatArray, variance: FloatArray) -> Belief:
        known = self._known
        scale = known.scale
        noise = np.broadcast_to(known.solution.noise * scale.sd, mean.shape).copy()
        return Belief(
            scale.mean + scale.sd * mean, scale.sd * np.sqrt(np.maximum(variance, 0.0)), noise
        )
