"""An exact Gaussian process on sets of URs: the baseline beside the ensemble.

The kernel is `surrogate.set_kernel`, its variances maximise the marginal likelihood
(`surrogate.variances`). Readouts are independent processes with noise of their own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from loop.domain.errors import IncompatibleError, NothingMeasuredError
from loop.ports.arrays import Belief, Combinations, FloatArray, SurrogateState, TrainingSet
from loop.ports.engine import Progress, SurrogateProblem, silent
from surrogate.encoding import Encoder
from surrogate.exact_process import ExactProcess
from surrogate.influence import exact_moves
from surrogate.item_form import mixed_halves
from surrogate.item_places import ItemPlaces
from surrogate.mixed_tiler import MixedTiler
from surrogate.placement import Placement
from surrogate.plain_arrays import floats, numpy_of
from surrogate.prior_draws import Library, PriorDraws
from surrogate.prior_evidence import PriorEvidence
from surrogate.prior_help import prior_help
from surrogate.process_form import ProcessForm
from surrogate.process_model import ProcessModel
from surrogate.readout_scale import ReadoutScale
from surrogate.representation.whitening import Whitenings
from surrogate.set_kernel import Encoded, SetKernel
from surrogate.settings import Range, read_settings
from surrogate.variances import first_guess, learned_variances

SETTINGS: Mapping[str, Range] = {
    "components": Range(64, 1, 4096, whole=True),
    "draws": Range(64, 2, 4096, whole=True),
    "steps": Range(40, 2, 1e5, whole=True),
}
LARGEST = 2_000
"""The most observations that are solved exactly; the cost grows with their cube."""
_CHUNK = 2_048
_JITTER = 1e-6


@dataclass(frozen=True, slots=True)
class _Observed:
    """What a process conditions on, enough to solve it again: standardised values (n, m)."""

    combinations: Combinations
    standard: FloatArray
    wells: FloatArray
    scale: ReadoutScale
    whitenings: Whitenings
    logs: Tensor
    seed: int


class GaussianProcess:
    """Exact Gaussian processes, one for each readout; see the module.

    A fit costs O(n^3) for each of `steps` steps (half of them where it is warm), prediction
    O(n^2) for each perturbation, in chunks. `draws` is how many joint draws `member_means` gives,
    an even number; `components` how many principal components of the URs are kept.
    """

    family = "gaussian-process"
    moved_exactly = True

    def __init__(self, problem: SurrogateProblem) -> None:
        """Take up a problem.

        Raises:
            InvalidError: If a setting is unknown or out of range, or there is no such device.
        """
        self._problem = problem
        self._settings = read_settings("gaussian-process", problem.settings, SETTINGS)
        self._placement = Placement.of(problem.compute)
        self._evidence = PriorEvidence(problem.prior, problem.representations.doses)
        self._solved: _Solved | None = None

    def fit(
        self, training: TrainingSet, rng: np.random.Generator, progress: Progress = silent
    ) -> None:
        """Learn the variances, starting from those known, and condition on all observations.

        Raises:
            IncompatibleError: If there are more than 2,000 observations.
            NothingMeasuredError: If no value is finite.
        """
        if len(training) > LARGEST:
            msg = (
                f"The exact Gaussian process takes at most {LARGEST} observations, and there are "
                f"{len(training)}; use the surrogate 'ensemble'."
            )
            raise IncompatibleError(msg)
        if not np.isfinite(training.values).any():
            msg = "The training set holds no value; ingest results first."
            raise NothingMeasuredError(msg)
        seed = int(rng.integers(2**63))
        before = self._solved.observed if self._solved else None
        whitenings = before.whitenings if before else self._whitenings()
        scale = ReadoutScale.of(training.values)
        observed = _Observed(
            training.combinations,
            scale.standardise(training.values),
            np.maximum(training.replicates, 1).astype(np.float64),
            scale,
            whitenings,
            before.logs if before else torch.empty(0),
            before.seed if before else seed,
        )
        steps = int(self._settings["steps"])
        with self._placement.computing():
            self._solved = self._solve(observed, (steps + 1) // 2 if before else steps, progress)

    def believe(self, combinations: Combinations) -> Belief:
        """Predict N perturbations: mean and SD of the truth, and the noise of one well."""
        solved = self._known
        none = np.zeros((0, self._problem.readouts))
        means, variances = [none], [none]
        with self._placement.computing(), torch.no_grad():
            for chunk in self._chunks(combinations):
                between = solved.fast.kernel.between(chunk, solved.fast.observed)
                own = solved.fast.kernel.own(chunk)
                answers = [_marginal(each, between, own) for each in solved.processes]
                means.append(numpy_of(torch.stack([mean for mean, _ in answers], dim=1)))
                variances.append(numpy_of(torch.stack([var for _, var in answers], dim=1)))
        return solved.belief(np.concatenate(means), np.concatenate(variances))

    def member_means(self, combinations: Combinations) -> Tensor:
        """S draws from the joint posterior, shape (S, N, m), float32, readout units, on the device.

        The same perturbation gets the same values in every call, and the draws' mean is the
        posterior mean. A draw is a prior draw plus what the data change of it (Wilson et al.,
        2020).
        """
        solved = self._known
        scale, draws = solved.observed.scale, solved.draws
        size, centre = self._placement.tensor(scale.sd), self._placement.tensor(scale.mean)
        values = [size.new_zeros(self._draws, 0, len(size))]
        with self._placement.computing(), torch.no_grad():
            for chunk in self._chunks(combinations):
                between = solved.fast.kernel.between(chunk, solved.fast.observed)
                updates = [
                    each.cross(between) @ weights.to(between)
                    for each, weights in zip(solved.processes, solved.updates, strict=True)
                ]
                values.append(draws(chunk) + torch.stack(updates).permute(2, 1, 0))
            return (torch.cat(values, dim=1) * size + centre).to(torch.float32)

    def tiler(
        self, items: Combinations, readouts: tuple[int, ...], precision: str
    ) -> MixedTiler | None:
        """A tiler over items; see `surrogate.process_form`.

        None where earlier screens are heeded: they are asked perturbation by perturbation.
        """
        solved = self._known
        if self._evidence.names:
            return None
        scale, asked = solved.observed.scale, list(readouts)
        with self._placement.computing():
            return mixed_halves(
                ItemPlaces.of(items),
                tuple(solved.form(items, readout) for readout in readouts),
                self._placement.tensor(scale.sd)[asked],
                self._placement.tensor(scale.mean)[asked],
            )

    def noise_sd(self) -> Tensor:
        """The SD of one well's noise, shape (m,), float32, in readout units, on the device."""
        solved = self._known
        return torch.tensor(solved.noise, dtype=torch.float32, device=self._placement.device)

    def out_of_fold(self) -> Belief:
        """Each row of the last fit as if it had not been observed, in closed form."""
        solved = self._known
        shape = solved.observed.standard.shape
        mean, variance = np.zeros(shape), np.ones(shape)
        everywhere = self._missing(solved)
        for readout, process in enumerate(solved.processes):
            rows = process.rows.cpu().numpy()
            left_out = process.leave_one_out()
            mean[:, readout], variance[:, readout] = everywhere[readout]
            mean[rows, readout], variance[rows, readout] = (numpy_of(each) for each in left_out)
        return solved.belief(mean, variance)

    def prior_help(self) -> dict[str, float]:
        """Nats a well that each earlier screen brings to the first readout, out of fold."""
        return self._known.help

    def moved_by(self, combinations: Combinations, training: TrainingSet) -> FloatArray:
        """How far each observation moves each mean, (N, n); all of a row sum to mean - prior mean.

        First readout, in its unit. A process keeps what it observed and asks `training` nothing.
        """
        solved = self._known
        exact = solved.exact
        with self._placement.computing():
            moves = exact_moves(
                solved.processes[0], exact.encoder, exact.kernel, exact.observed, combinations
            )
        whole: FloatArray = moves * solved.observed.scale.sd[0]
        return whole

    def state(self) -> SurrogateState:
        """The observations, whitenings and variances: enough to solve it again."""
        observed = self._known.observed
        arrays = {
            "components": observed.combinations.components,
            "levels": observed.combinations.levels,
            "contexts": observed.combinations.contexts,
            "standard": observed.standard,
            "wells": observed.wells,
            "scale.mean": observed.scale.mean,
            "scale.sd": observed.scale.sd,
            "logs": observed.logs.numpy(),
            **observed.whitenings.arrays(),
        }
        return SurrogateState(arrays, {"seed": observed.seed})

    def restore(self, state: SurrogateState) -> None:
        """Solve what `state` observed, with the variances it had learned.

        Raises:
            IncompatibleError: If the state was learned for other slots or readouts.
        """
        arrays = state.arrays
        there = (arrays["components"].shape[1], arrays["standard"].shape[1])
        here = (self._problem.slots, self._problem.readouts)
        if there != here:
            msg = (
                f"The stored Gaussian process was learned for (slots, readouts) = {there}, this "
                f"campaign has {here}; retrain from scratch."
            )
            raise IncompatibleError(msg)
        observed = _Observed(
            Combinations(*(_whole(arrays[name]) for name in ("components", "levels", "contexts"))),
            floats(arrays["standard"]),
            floats(arrays["wells"]),
            ReadoutScale(floats(arrays["scale.mean"]), floats(arrays["scale.sd"])),
            Whitenings.of_arrays(arrays),
            torch.tensor(floats(arrays["logs"])),
            int(str(state.settings["seed"])),
        )
        with self._placement.computing():
            self._solved = self._solve(observed, 0, silent)

    def model(self) -> ProcessModel:
        """The BoTorch model of the joint posterior."""
        solved = self._known
        return ProcessModel(solved.joint, self._problem.readouts)

    @property
    def _known(self) -> "_Solved":
        if self._solved is None:
            msg = "This surrogate has learned nothing yet; fit or restore it first."
            raise NothingMeasuredError(msg)
        return self._solved

    @property
    def _draws(self) -> int:
        return 2 * (int(self._settings["draws"]) // 2)

    def _whitenings(self) -> Whitenings:
        return Whitenings.of(self._problem.representations, int(self._settings["components"]))

    def _view(self, observed: _Observed, dtype: torch.dtype) -> "_View":
        here = self._problem.representations
        device = self._placement.device
        encoder = Encoder(here, observed.whitenings.perturbagens, device, dtype, self._evidence)
        columns = observed.whitenings.context_columns(here)
        contexts = torch.tensor(columns, dtype=dtype, device=device)
        encoded = Encoded(*encoder(observed.combinations))
        return _View(encoder, SetKernel(contexts, self._evidence.names), contexts, encoded)

    @torch.no_grad()
    def _solve(self, observed: _Observed, steps: int, progress: Progress) -> "_Solved":
        """Learn variances by `steps` steps (0: keep those given) and solve every readout."""
        exact = self._view(observed, torch.float64)
        parts = exact.kernel.between(exact.observed, exact.observed)
        processes: list[ExactProcess] = []
        helped: dict[str, float] = {}
        readouts = observed.standard.shape[1]
        for readout in range(readouts):
            values = observed.standard[:, readout]
            rows = torch.tensor(np.flatnonzero(np.isfinite(values)), device=parts.device)
            block = parts[:, rows][:, :, rows]
            known = torch.tensor(values, device=parts.device)[rows]
            wells = torch.tensor(observed.wells[:, readout], device=parts.device)[rows]
            start = observed.logs[readout] if len(observed.logs) else first_guess(len(parts))
            logs = learned_variances(block, known, wells, start, steps) if steps else start
            processes.append(ExactProcess.solve(block, rows, known, wells, logs))
            if not readout:
                screens = self._evidence.screens
                helped = prior_help(block, processes[0], exact.kernel.names, screens)
            progress((readout + 1) / readouts, "fitting the Gaussian process")
        logs = torch.stack([each.logs for each in processes])
        learned = _Observed(
            observed.combinations,
            observed.standard,
            observed.wells,
            observed.scale,
            observed.whitenings,
            logs,
            observed.seed,
        )
        draws = self._prior(exact, logs, observed.seed)
        fast = self._view(observed, self._placement.dtype)
        return _Solved(
            learned,
            processes,
            exact,
            fast,
            self._prior(fast, logs, observed.seed),
            _updates(draws(exact.observed), processes, observed.seed),
            helped,
        )

    def _prior(self, view: "_View", logs: Tensor, seed: int) -> PriorDraws:
        library = Library(
            view.encoder.rank,
            len(self._problem.representations.perturbagens),
            view.encoder.doses_vary,
            self._evidence.view.shape[1],
            len(self._evidence.names),
        )
        return PriorDraws(library, view.contexts, logs, self._draws, seed)

    def _chunks(self, combinations: Combinations) -> Iterator[Encoded]:
        encoder = self._known.fast.encoder
        for start in range(0, len(combinations), _CHUNK):
            yield Encoded(*encoder(combinations[slice(start, start + _CHUNK)]))

    @torch.no_grad()
    def _missing(self, solved: "_Solved") -> list[tuple[FloatArray, FloatArray]]:
        """The plain prediction of every training row, for rows without a value."""
        exact = solved.exact
        between = exact.kernel.between(exact.observed, exact.observed)
        own = exact.kernel.own(exact.observed)
        answers = [_marginal(each, between, own) for each in solved.processes]
        return [(numpy_of(mean), numpy_of(variance)) for mean, variance in answers]


@dataclass(frozen=True, slots=True)
class _View:
    """The problem in one dtype: encoder, kernel, columns of contexts, and the observations."""

    encoder: Encoder
    kernel: SetKernel
    contexts: Tensor
    observed: Encoded


@dataclass(frozen=True, slots=True)
class _Solved:
    """All that fitting leaves behind: exact in float64, `fast` in the dtype asked for.

    `updates` are the data's weights in each draw, one matrix (n, S) a readout; `help` is what each
    earlier screen brings to the first.
    """

    observed: _Observed
    processes: list[ExactProcess]
    exact: _View
    fast: _View
    draws: PriorDraws
    updates: list[Tensor]
    help: dict[str, float]

    @property
    def noise(self) -> FloatArray:
        """The SD of one well, in readout units, shape (m,)."""
        return np.array([each.noise_variance**0.5 for each in self.processes]) * (
            self.observed.scale.sd
        )

    def belief(self, mean: FloatArray, variance: FloatArray) -> Belief:
        """A belief in readout units, from mean and variance of the truth in standard units."""
        scale = self.observed.scale
        return Belief(
            scale.mean + scale.sd * mean,
            scale.sd * np.sqrt(variance),
            np.broadcast_to(self.noise, mean.shape).copy(),
        )

    def form(self, items: Combinations, readout: int) -> ProcessForm:
        """The draws of a readout as sums over items and pairs of some items."""
        process, fast = self.processes[readout], self.fast
        return ProcessForm.of(
            fast.kernel,
            fast.encoder.items(items),
            Encoded(fast.observed.items, fast.observed.rows[process.rows]),
            process.logs[:-1].exp(),
            self.updates[readout],
            self.draws,
            readout,
        )

    @torch.no_grad()
    def joint(self, combinations: Combinations) -> tuple[Tensor, Tensor]:
        """Means (q, m) and covariances (m, q, q) of the truth, in readout units."""
        exact, scale = self.exact, self.observed.scale
        rows = Encoded(*exact.encoder(combinations))
        between = exact.kernel.between(rows, exact.observed)
        own = exact.kernel.between(rows, rows)
        means, covariances = [], []
        for readout, process in enumerate(self.processes):
            cross = process.cross(between)
            reached = cross @ process.inverse_factor.T
            left = process.own(own) - reached @ reached.T
            jitter = _JITTER * torch.eye(len(left), dtype=left.dtype, device=left.device)
            covariances.append((left + jitter) * scale.sd[readout] ** 2)
            means.append(cross @ process.weights * scale.sd[readout] + scale.mean[readout])
        return torch.stack(means, dim=1), torch.stack(covariances)


def _marginal(process: ExactProcess, between: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of the truth of N perturbations, each (N,), in standard units."""
    cross = process.cross(between)
    reached = cross @ process.inverse_factor.to(cross).T
    variance = process.own(own) - reached.square().sum(dim=1)
    return cross @ process.weights.to(cross), variance.clamp(min=1e-9)


def _updates(prior: Tensor, processes: list[ExactProcess], seed: int) -> list[Tensor]:
    """What each draw gives each observation's similarity, one matrix (n, S) a readout.

    `prior` are the draws at the observations, shape (S, n, m). Noise comes in pairs of opposite
    sign, as the draws do.
    """
    generator = torch.Generator().manual_seed(seed ^ 1)
    updates = []
    for readout, process in enumerate(processes):
        drawn = prior[:, process.rows, readout].T
        half = torch.randn(len(drawn), drawn.shape[1] // 2, generator=generator).to(drawn)
        sd = (process.noise_variance / process.wells).sqrt()[:, None]
        noise = torch.cat([half, -half], dim=1) * sd
        updates.append(process.inverse @ (process.values[:, None] - drawn - noise))
    return updates


def _whole(
    array: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]",
) -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]]":
    return np.array(array, dtype=np.int64)
