"""The default surrogate: an ensemble of permutation-invariant manipulators with decoders.

All members are trained as one batched computation, each on its own share of the wells
(`surrogate.bagging`). Members start from different draws and see different wells, so their spread
is the epistemic part of a belief (after Lakshminarayanan et al., 2017). What they say of wells
they did not see sets how far they are trusted and how much noise is left
(`surrogate.out_of_bag`); the data also say which path of a manipulator may do how much
(`surrogate.path_scales`).
"""

from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import torch
from torch import Tensor

from loop.domain.errors import IncompatibleError, NothingMeasuredError
from loop.ports.arrays import (
    Belief,
    Combinations,
    FloatArray,
    SurrogateState,
    TrainingSet,
)
from loop.ports.engine import Compute, Progress, SurrogateProblem, silent
from surrogate.bagging import bagging_masks
from surrogate.botorch_model import MemberModel
from surrogate.checkpoint import Checkpoint, fingerprint
from surrogate.encoding import Encoder
from surrogate.ensemble_tiler import EnsembleTiler
from surrogate.influence import approximate_moves
from surrogate.learned_ensemble import LearnedEnsemble
from surrogate.lesson import Lesson
from surrogate.manipulator import Shape
from surrogate.members import Members
from surrogate.out_of_bag import Reliability, out_of_bag, reliability
from surrogate.path_scales import PathScales, learned_logs
from surrogate.placement import Placement
from surrogate.plain_arrays import numpy_of
from surrogate.precision import NAMES, Precision
from surrogate.prediction import tiles
from surrogate.prior_evidence import PriorEvidence
from surrogate.readout_scale import ReadoutScale
from surrogate.representation.whitening import Whitenings
from surrogate.row_weights import row_weights
from surrogate.set_kernel import SetKernel
from surrogate.settings import Range, read_settings
from surrogate.training import Schedule, train

SETTINGS: Mapping[str, Range] = {
    "members": Range(16, 2, 1024, whole=True),
    "width": Range(64, 4, 4096, whole=True),
    "state": Range(32, 2, 4096, whole=True),
    "interaction": Range(128, 1, 4096, whole=True),
    "components": Range(64, 1, 4096, whole=True),
    "bag": Range(0.75, 0.05, 0.95),
    "steps": Range(120, 2, 1e6, whole=True),
    "learning_rate": Range(0.003, 1e-6, 1.0),
    "tails": Range(0.0, 0.0, 1e6),
}


class Ensemble:
    """An ensemble of manipulators with decoders; see the module for what it does.

    Memory while predicting does not grow with the number of perturbations beyond the answer. On
    one machine, the same seed and data give the same state (on CUDA up to the order of sums).

    Settings: `members`; `width`, `state` and `interaction`, sizes of the networks; `components`
    kept of the URs; `bag`, the share of wells that each member sees; `steps` of training from
    scratch (a warm start takes half); `learning_rate`; `tails`, the degrees of freedom of the
    noise, where it has outliers (4 is heavy, 0 normal). A restored ensemble keeps the sizes and
    the share that it was begun with. On CUDA alone: `precision` of training (`float32`, `tf32`,
    `bf16`) and `compile`; a CPU takes float32 and compiles nothing.

    Where the problem names a folder for checkpoints, training that was killed goes on from there
    when the same fit is asked for again, and ends in the same state.
    """

    family = "ensemble"
    moved_exactly = False

    def __init__(self, problem: SurrogateProblem) -> None:
        """Take up a problem.

        Raises:
            InvalidError: If a setting is unknown or out of range, or there is no such device.
        """
        self._problem = problem
        self._settings = read_settings("ensemble", problem.settings, SETTINGS, NAMES)
        self._placement = Placement.of(problem.compute)
        self._precision = Precision.of(problem.settings, self._placement.device)
        self._evidence = PriorEvidence(problem.prior, problem.representations.doses)
        self._learned: LearnedEnsemble | None = None
        self._encoder: Encoder | None = None

    def fit(
        self, training: TrainingSet, rng: np.random.Generator, progress: Progress = silent
    ) -> None:
        """Learn from observations; warm where there is something learned already.

        If `progress` raises, what was learned before stands.

        Raises:
            NothingMeasuredError: If no value is finite.
        """
        if not np.isfinite(training.values).any():
            msg = "The training set holds no value; ingest results first."
            raise NothingMeasuredError(msg)
        checkpoint = self._checkpoint(training, rng.bit_generator.state)
        generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
        mask_seed = int(rng.integers(2**63))
        scale = ReadoutScale.of(training.values)
        standard = scale.standardise(training.values)
        before = self._learned
        with self._placement.computing():
            whitenings = before.whitenings if before else self._whitenings()
            scales, logs = self._path_scales(whitenings, training, scale, rng)
            if before is None:
                members = self._begun(whitenings, scales, training, generator)
                bag = self._settings["bag"]
            else:
                met = _met(training)
                members = before.continued(scale, scales, met, generator, self._placement)
                mask_seed, bag = before.mask_seed, before.bag
            entered = torch.as_tensor(np.unique(training.combinations.contexts))
            members.manipulator.enter(entered, first=before is None)
            masks = bagging_masks(mask_seed, members.shape.members, training.identities, bag)
            encoder = self._encoding(whitenings, self._placement.dtype)
            weights = row_weights(training)
            lesson = Lesson.of(encoder, training, standard, weights, masks, self._placement)
            schedule = self._schedule(warm=before is not None)
            train(members, lesson, schedule, generator, progress, checkpoint, self._precision)
            predicted = torch.cat(list(tiles(members, encoder, training.combinations)), dim=1)
            jury = out_of_bag(numpy_of(predicted), masks)
        spread = training.spread / scale.sd
        trusted = reliability(jury, standard, training.replicates, spread)
        self._encoder = encoder
        self._learned = LearnedEnsemble(
            members=members,
            whitenings=whitenings,
            scale=scale,
            logs=logs,
            bag=bag,
            mask_seed=mask_seed,
            reliability=trusted,
            out_of_fold=_belief(jury.mean, jury.variance, scale, trusted),
        )
        if checkpoint:
            checkpoint.remove()

    def believe(self, combinations: Combinations) -> Belief:
        """Predict N perturbations: the members' mean, their spread, and the noise of one well."""
        learned, encoder = self._known()
        means, variances = [], []
        with self._placement.computing():
            for tile in tiles(learned.members, encoder, combinations):
                means.append(numpy_of(tile.mean(dim=0)))
                variances.append(numpy_of(tile.var(dim=0)))
        none = np.zeros((0, self._problem.readouts))
        return _belief(
            np.concatenate([none, *means]),
            np.concatenate([none, *variances]),
            learned.scale,
            learned.reliability,
        )

    @torch.no_grad()
    def member_means(self, combinations: Combinations) -> Tensor:
        """What each member predicts, shape (S, N, m), float32, in readout units, on the device."""
        learned, encoder = self._known()
        size = self._placement.tensor(learned.scale.sd * learned.reliability.trust)
        centre = self._placement.tensor(learned.scale.mean)
        with self._placement.computing():
            none = size.new_zeros(learned.members.shape.members, 0, len(size))
            whole = torch.cat([none, *tiles(learned.members, encoder, combinations)], dim=1)
            return whole.mul_(size).add_(centre).to(torch.float32)

    def tiler(
        self, items: Combinations, readouts: tuple[int, ...], precision: str
    ) -> EnsembleTiler | None:
        """A tiler over items; see `surrogate.ensemble_tiler`.

        None where earlier screens are heeded: they are asked perturbation by perturbation.
        """
        learned, encoder = self._known()
        if self._evidence.names:
            return None
        with self._placement.computing():
            return EnsembleTiler.of(learned, encoder, items, readouts, precision)

    @torch.no_grad()
    def altered_states(self, combinations: Combinations) -> tuple[Tensor, Tensor]:
        """What each member makes of the contexts, and its decoder's hidden layer.

        Shapes (M, N, s) and (M, N, w), on the device; what new decoders are trained on.
        """
        learned, encoder = self._known()
        shape = learned.members.shape
        with self._placement.computing():
            none = learned.members.contexts.new_zeros(shape.members, 0, shape.state)
            states = [none, *tiles(learned.members, encoder, combinations, Members.states)]
            whole = torch.cat(states, dim=1)
            return whole, learned.members.decoder.hidden(whole)

    def manipulators(self) -> str:
        """A name for everything that altered states depend on: a fingerprint, in hex."""
        learned, _ = self._known()
        state = learned.packed()
        about = {
            name: array
            for name, array in state.arrays.items()
            if name.startswith(("network.", "whitening."))
        }
        return fingerprint(about, state.settings["scales"])

    def noise_sd(self) -> Tensor:
        """SD of a measured well about the members' mean, shape (m,), in readout units.

        Besides the noise of one well it holds what the members' spread does not explain.
        """
        learned, _ = self._known()
        parts = learned.reliability
        sd = learned.scale.sd * np.hypot(parts.noise, parts.misfit)
        return torch.as_tensor(sd, dtype=torch.float32, device=self._placement.device)

    def moved_by(self, combinations: Combinations, training: TrainingSet) -> FloatArray:
        """About how far each observation moves each mean from the prior mean, shape (N, n).

        First readout, in its unit. An approximation: the moves of a Gaussian process with this
        ensemble's learned variances, on the 2,000 observations most alike to what is asked.
        """
        learned, _ = self._known()
        with self._placement.computing():
            contexts = self._contexts(learned.whitenings, torch.float64)
            moves = approximate_moves(
                self._encoding(learned.whitenings, torch.float64),
                SetKernel(contexts, self._evidence.names),
                learned.logs[0],
                training.combinations,
                learned.scale.standardise(training.values)[:, 0],
                training.replicates[:, 0],
                combinations,
            )
        whole: FloatArray = moves * learned.scale.sd[0]
        return whole

    def out_of_fold(self) -> Belief:
        """Each row of the last fit by the members that did not see it."""
        learned, _ = self._known()
        return learned.out_of_fold

    def state(self) -> SurrogateState:
        """Networks, their starts, whitenings, scales, and out-of-fold beliefs."""
        learned, _ = self._known()
        return learned.packed()

    def restore(self, state: SurrogateState) -> None:
        """Become the ensemble that gave `state`.

        Raises:
            IncompatibleError: If the state was learned for another library or other readouts.
        """
        learned = LearnedEnsemble.unpacked(state, self._placement)
        shape = learned.members.shape
        here = self._problem
        there = (shape.perturbagens, shape.contexts, shape.readouts, shape.slots)
        sizes = (
            len(here.representations.perturbagens),
            len(here.representations.contexts),
            here.readouts,
            here.slots,
        )
        if there != sizes:
            msg = (
                "The stored ensemble was learned for (perturbagens, contexts, readouts, slots) = "
                f"{there}, this campaign has {sizes}; retrain from scratch."
            )
            raise IncompatibleError(msg)
        self._learned = learned
        self._encoder = self._encoding(learned.whitenings, self._placement.dtype)

    def model(self) -> MemberModel:
        """The BoTorch model whose posterior holds every member's prediction."""
        self._known()
        return MemberModel(self.member_means, self._problem.readouts)

    def _known(self) -> tuple[LearnedEnsemble, Encoder]:
        if self._learned is None or self._encoder is None:
            msg = "This surrogate has learned nothing yet; fit or restore it first."
            raise NothingMeasuredError(msg)
        return self._learned, self._encoder

    def _whitenings(self) -> Whitenings:
        return Whitenings.of(self._problem.representations, int(self._settings["components"]))

    def _encoding(self, whitenings: Whitenings, dtype: torch.dtype) -> Encoder:
        return Encoder(
            self._problem.representations,
            whitenings.perturbagens,
            self._placement.device,
            dtype,
            self._evidence,
        )

    def _contexts(self, whitenings: Whitenings, dtype: torch.dtype) -> Tensor:
        columns = whitenings.context_columns(self._problem.representations)
        return torch.as_tensor(columns, dtype=dtype, device=self._placement.device)

    def _path_scales(
        self,
        whitenings: Whitenings,
        training: TrainingSet,
        scale: ReadoutScale,
        rng: np.random.Generator,
    ) -> tuple[PathScales, Tensor]:
        kernel = SetKernel(self._contexts(whitenings, torch.float64), self._evidence.names)
        logs = learned_logs(
            self._encoding(whitenings, torch.float64),
            kernel,
            training,
            scale.standardise(training.values),
            self._learned.logs if self._learned else None,
            rng,
        )
        return PathScales.of(kernel.names, logs, self._evidence.names), logs

    def _begun(
        self,
        whitenings: Whitenings,
        scales: PathScales,
        training: TrainingSet,
        generator: torch.Generator,
    ) -> Members:
        """New members, with the sizes that the settings ask for."""
        sizes = {name: int(self._settings[name]) for name in ("members", "width", "state")}
        here = self._problem
        contexts = self._contexts(whitenings, self._placement.dtype)
        shape = Shape(
            **sizes,
            interaction=int(self._settings["interaction"]),
            rank=whitenings.perturbagens.basis.shape[1],
            perturbagens=len(here.representations.perturbagens),
            contexts=len(contexts),
            context_rank=contexts.shape[1],
            slots=here.slots,
            readouts=here.readouts,
            doses=self._encoding(whitenings, self._placement.dtype).doses_vary,
            prior=len(self._evidence.names),
        )
        members = Members(shape, scales, contexts, _met(training), generator)
        return members.to(self._placement.device, self._placement.dtype)

    def _schedule(self, warm: bool) -> Schedule:
        steps = int(self._settings["steps"])
        return Schedule(
            (steps + 1) // 2 if warm else steps,
            self._settings["learning_rate"],
            self._settings["tails"],
        )

    def _checkpoint(self, training: TrainingSet, state: object) -> Checkpoint | None:
        """Where this fit may keep its moments; `state` is that of the random numbers it takes."""
        if self._problem.checkpoint is None:
            return None
        parent = self._learned.packed() if self._learned else None
        unplaced = replace(self._problem, checkpoint=None, compute=Compute())
        compute = (str(self._placement.device), str(self._placement.dtype), torch.__version__)
        name = fingerprint(training, unplaced, compute, version("pertloop"), parent, state)
        return Checkpoint(self._problem.checkpoint, name)


def _belief(
    mean: FloatArray, variance: FloatArray, scale: ReadoutScale, trusted: Reliability
) -> Belief:
    """A belief in readout units, from mean and variance between members in standard units."""
    epistemic = np.sqrt(trusted.trust**2 * variance + trusted.misfit**2)
    return Belief(
        scale.mean + scale.sd * trusted.trust * mean,
        scale.sd * epistemic,
        np.broadcast_to(scale.sd * trusted.noise, mean.shape).copy(),
    )


def _met(training: TrainingSet) -> Tensor:
    """The perturbagens that occur in a training set, ascending."""
    components = training.combinations.components
    return torch.as_tensor(np.unique(components[components >= 0]))
