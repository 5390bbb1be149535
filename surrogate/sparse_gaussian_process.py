"""A Gaussian process for many observations: the kernel of `gaussian-process`, summed up.

The data are summed up at no more than Z inducing perturbations, chosen among those observed
(`surrogate.sparse_process`). Variances are learned from at most 1,000 rows. Readouts are
independent processes with inducing perturbations and noise of their own.
"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from loop.ports.arrays import Combinations, FloatArray, IntArray
from loop.ports.engine import Progress, SurrogateProblem
from surrogate.encoding import Encoder
from surrogate.exact_process import ExactProcess
from surrogate.plain_arrays import floats, numpy_of
from surrogate.prior_draws import Library, PriorDraws
from surrogate.prior_help import prior_help
from surrogate.representation.whitening import Whitenings
from surrogate.set_kernel import SetKernel
from surrogate.settings import Range
from surrogate.solution import Arrays, Observed, Solution, combinations_of
from surrogate.solved_surrogate import SolvedSurrogate
from surrogate.sparse_process import SparseProcess, most_telling
from surrogate.sparse_solution import Sight, Summed
from surrogate.variances import first_guess, learned_variances

_ROWS_FOR_VARIANCES = 1_000
_ROWS_TO_CHOOSE_FROM = 8_192


class SparseGaussianProcess(SolvedSurrogate):
    """Sparse Gaussian processes; see the module.

    A fit costs O(n Z^2) and Z (<= `inducing`) kernel columns over at most 8,192 observations;
    prediction O(Z^2) a perturbation for a belief, O(Z S) for S `draws` (an even number). `steps`
    is how often variances are improved; a warm start takes half. Memory holds one chunk of rows,
    and Z x 8,192 numbers while choosing. What Z perturbations cannot sum up stays uncertain, so a
    large library of perturbagens without URs is smoothed: each inducing one tells of itself.
    """

    name = "sparse-gaussian-process"
    family = "gaussian-process"
    known_settings: ClassVar[Mapping[str, Range]] = {
        "components": Range(64, 1, 4096, whole=True),
        "inducing": Range(512, 1, 1024, whole=True),
        "draws": Range(64, 2, 4096, whole=True),
        "steps": Range(40, 2, 1e5, whole=True),
    }

    def __init__(self, problem: SurrogateProblem) -> None:
        """Take up a problem.

        Raises:
            InvalidError: If a setting is unknown or out of range, or there is no such device.
        """
        super().__init__(problem)
        self._help: dict[str, float] = {}

    def _learned(self, observed: Observed, before: Solution | None, progress: Progress) -> Solution:
        sight = self._sight(observed.whitenings, torch.float64)
        rng = np.random.default_rng(observed.seed)
        known = before.logs if isinstance(before, Summed) else None
        shape = observed.standard.shape
        mean, variance = np.zeros(shape), np.ones(shape)
        inducing, processes = [], []
        for readout in range(shape[1]):
            rows = observed.measured(readout)
            logs = self._logs(
                sight, observed, readout, None if known is None else known[readout], rng
            )
            progress((readout + 0.4) / shape[1], "choosing inducing perturbations")
            picked = self._inducing(sight, observed.combinations, rows, logs, rng)
            process = sight.solved(picked, observed, rows, readout, logs)
            progress((readout + 0.7) / shape[1], "fitting the sparse Gaussian process")
            mean[:, readout], variance[:, readout] = sight.marginals(
                process, picked, observed.combinations
            )
            chunks = sight.chunks(picked, observed, rows, readout, logs)
            mean[rows, readout], variance[rows, readout] = (
                numpy_of(each) for each in process.leave_one_out(chunks)
            )
            inducing.append(picked)
            processes.append(process)
        return self._summed(
            sight, observed.whitenings, observed.seed, inducing, processes, (mean, variance)
        )

    def _reopened(
        self,
        arrays: Arrays,
        whitenings: Whitenings,
        seed: int,
        fold: tuple[FloatArray, FloatArray],
    ) -> Solution:
        sight = self._sight(whitenings, torch.float64)
        inducing, processes = [], []
        for readout, logs in enumerate(floats(arrays["logs"])):
            picked = combinations_of(arrays, f"inducing.{readout}")
            held = (f"{name}.{readout}" for name in ("factor", "inner", "mean"))
            processes.append(
                SparseProcess.of(sight.tensor(logs), *(sight.tensor(arrays[name]) for name in held))
            )
            inducing.append(picked)
        return self._summed(sight, whitenings, seed, inducing, processes, fold)

    def _sight(self, whitenings: Whitenings, dtype: torch.dtype) -> "Sight":
        here = self._problem.representations
        device = self._placement.device
        encoder = Encoder(here, whitenings.perturbagens, device, dtype, self._prior)
        contexts = torch.tensor(whitenings.context_columns(here), dtype=dtype, device=device)
        return Sight(encoder, SetKernel(contexts, self._prior.names), contexts)

    @torch.no_grad()
    def _logs(
        self,
        sight: "Sight",
        observed: Observed,
        readout: int,
        before: Tensor | None,
        rng: np.random.Generator,
    ) -> Tensor:
        """Log variances of the parts and the noise, from at most 1,000 rows."""
        rows = _some(observed.measured(readout), _ROWS_FOR_VARIANCES, rng)
        encoded = sight.encoded(observed.combinations[rows])
        parts = sight.kernel.between(encoded, encoded)
        steps = int(self._settings["steps"])
        values, wells = (
            sight.tensor(each[rows, readout]) for each in (observed.standard, observed.wells)
        )
        logs = learned_variances(
            parts,
            values,
            wells,
            first_guess(len(parts)) if before is None else before.cpu(),
            steps if before is None else (steps + 1) // 2,
        )
        if not readout:
            every = torch.arange(len(rows))
            process = ExactProcess.solve(parts, every, values, wells, logs)
            self._help = prior_help(parts, process, sight.kernel.names, self._prior.screens)
        return logs.to(parts)

    def prior_help(self) -> dict[str, float]:
        """Nats a well that each earlier screen brought in the last fit, on those 1,000 rows."""
        return self._help

    @torch.no_grad()
    def _inducing(
        self,
        sight: "Sight",
        combinations: Combinations,
        rows: IntArray,
        logs: Tensor,
        rng: np.random.Generator,
    ) -> Combinations:
        offered = combinations[_some(rows, _ROWS_TO_CHOOSE_FROM, rng)]
        encoded = sight.encoded(offered)
        chosen = most_telling(
            sight.own(offered, logs),
            lambda place: sight.cross(encoded, offered[slice(place, place + 1)], logs)[:, 0],
            int(self._settings["inducing"]),
        )
        return offered[np.sort(chosen.cpu().numpy())]

    @torch.no_grad()
    def _summed(
        self,
        sight: "Sight",
        whitenings: Whitenings,
        seed: int,
        inducing: list[Combinations],
        processes: list[SparseProcess],
        fold: tuple[FloatArray, FloatArray],
    ) -> "Summed":
        logs = torch.stack([each.logs for each in processes])
        draws = 2 * (int(self._settings["draws"]) // 2)
        fast = self._sight(whitenings, self._placement.dtype)
        exact = self._draws(sight, logs, draws, seed)
        generator = torch.Generator().manual_seed(seed ^ 1)
        updates = []
        for readout, (picked, process) in enumerate(zip(inducing, processes, strict=True)):
            half = torch.randn(len(picked), draws // 2, generator=generator, dtype=torch.float64)
            normal = torch.cat([half, -half], dim=1).to(process.mean)
            drawn = exact(sight.encoded(picked))[:, :, readout].T
            updates.append(process.updates(drawn, normal))
        prior = self._draws(fast, logs, draws, seed)
        return Summed(sight, fast, inducing, processes, prior, updates, fold)

    def _draws(self, sight: "Sight", logs: Tensor, draws: int, seed: int) -> PriorDraws:
        library = Library(
            sight.encoder.rank,
            len(self._problem.representations.perturbagens),
            sight.encoder.doses_vary,
            self._prior.view.shape[1],
            len(self._prior.names),
        )
        return PriorDraws(library, sight.contexts, logs, draws, seed)


def _some(rows: IntArray, most: int, rng: np.random.Generator) -> IntArray:
    if len(rows) <= most:
        return rows
    drawn: IntArray = np.sort(rng.choice(rows, most, replace=False))
    return drawn
