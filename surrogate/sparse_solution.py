"""What a sparse Gaussian process needs to answer: kernel, inducing perturbations, draws."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loop.ports.arrays import Combinations, FloatArray, IntArray
from surrogate.encoding import Encoder
from surrogate.item_form import mixed_halves
from surrogate.item_places import ItemPlaces
from surrogate.mixed_tiler import MixedTiler
from surrogate.plain_arrays import floats, numpy_of
from surrogate.prior_draws import PriorDraws
from surrogate.process_form import ProcessForm
from surrogate.set_kernel import Encoded, SetKernel
from surrogate.solution import Observed, combination_arrays
from surrogate.sparse_process import Chunk, SparseProcess

_CHUNK = 2_048


@dataclass(frozen=True, slots=True)
class Sight:
    """The problem in one dtype: encoder, kernel, columns of contexts."""

    encoder: Encoder
    kernel: SetKernel
    contexts: Tensor

    def tensor(self, array: npt.NDArray[np.generic]) -> Tensor:
        """An array in this dtype, on the device."""
        return torch.tensor(floats(array)).to(self.contexts)

    def encoded(self, combinations: Combinations) -> Encoded:
        """Perturbations as the kernel takes them."""
        return Encoded(*self.encoder(combinations))

    def cross(self, left: Encoded, right: Combinations, logs: Tensor) -> Tensor:
        """Prior covariance, shape (N, Z)."""
        parts = self.kernel.between(left, self.encoded(right))
        whole: Tensor = torch.tensordot(logs[:-1].exp().to(parts), parts, dims=1)
        return whole

    def own(self, combinations: Combinations, logs: Tensor) -> Tensor:
        """Prior variances, shape (N,)."""
        blocks = [
            self.kernel.own(self.encoded(combinations[slice(first, first + _CHUNK)]))
            for first in range(0, max(len(combinations), 1), _CHUNK)
        ]
        parts = torch.cat(blocks, dim=1)
        whole: Tensor = torch.tensordot(logs[:-1].exp().to(parts), parts, dims=1)
        return whole

    def chunks(
        self, inducing: Combinations, observed: Observed, rows: IntArray, readout: int, logs: Tensor
    ) -> Iterator[Chunk]:
        """The rows that have a value, some 2,048 at a time."""
        for first in range(0, max(len(rows), 1), _CHUNK):
            part = rows[first : first + _CHUNK]
            some = observed.combinations[part]
            yield (
                self.cross(self.encoded(some), inducing, logs),
                self.own(some, logs),
                self.tensor(observed.standard[part, readout]),
                self.tensor(observed.wells[part, readout]),
            )

    @torch.no_grad()
    def solved(
        self, inducing: Combinations, observed: Observed, rows: IntArray, readout: int, logs: Tensor
    ) -> SparseProcess:
        """The process that has seen the rows."""
        between = self.cross(self.encoded(inducing), inducing, logs)
        return SparseProcess.solve(
            between, lambda: self.chunks(inducing, observed, rows, readout, logs), logs
        )

    @torch.no_grad()
    def marginals(
        self, process: SparseProcess, inducing: Combinations, asked: Combinations
    ) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the truth of N perturbations, each (N,), in standard units."""
        means, variances = [np.zeros(0)], [np.zeros(0)]
        for first in range(0, len(asked), _CHUNK):
            some = asked[slice(first, first + _CHUNK)]
            cross = self.cross(self.encoded(some), inducing, process.logs)
            own = self.own(some, process.logs)
            means.append(numpy_of(cross @ process.weights))
            variances.append(numpy_of(own - (cross @ process.reach).square().sum(dim=1)))
        return np.concatenate(means), np.maximum(np.concatenate(variances), 1e-9)


@dataclass(frozen=True, slots=True)
class Summed:
    """A `Solution`: exact in float64, `fast` in the dtype asked for."""

    exact: Sight
    fast: Sight
    inducing: list[Combinations]
    processes: list[SparseProcess]
    prior: PriorDraws
    updates: list[Tensor]
    fold: tuple[FloatArray, FloatArray] = field(repr=False)

    @property
    def logs(self) -> Tensor:
        """Log variances of all readouts, shape (m, parts + 1)."""
        return torch.stack([each.logs for each in self.processes])

    @property
    def noise(self) -> FloatArray:
        """The SD of one well, shape (m,)."""
        return np.array([each.noise_variance**0.5 for each in self.processes])

    def marginals(self, combinations: Combinations) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of the truth, each (N, m)."""
        answers = [
            self.exact.marginals(process, picked, combinations)
            for process, picked in zip(self.processes, self.inducing, strict=True)
        ]
        return (
            np.stack([mean for mean, _ in answers], axis=1),
            np.stack([variance for _, variance in answers], axis=1),
        )

    def members(self, combinations: Combinations) -> Tensor:
        """What each member or draw says, shape (S, N, m)."""
        draws = len(self.updates[0].T)
        values = [self.fast.contexts.new_zeros(draws, 0, len(self.processes))]
        for first in range(0, len(combinations), _CHUNK):
            some = self.fast.encoded(combinations[slice(first, first + _CHUNK)])
            told = [
                self.fast.cross(some, picked, process.logs) @ update.to(self.fast.contexts)
                for picked, process, update in zip(
                    self.inducing, self.processes, self.updates, strict=True
                )
            ]
            values.append(self.prior(some) + torch.stack(told).permute(2, 1, 0))
        return torch.cat(values, dim=1)

    def tiler(
        self, items: Combinations, readouts: tuple[int, ...], sizes: Tensor, centres: Tensor
    ) -> MixedTiler:
        """A tiler of the draws; see `surrogate.process_form`."""
        there = self.fast.encoder.items(items)
        forms = tuple(
            ProcessForm.of(
                self.fast.kernel,
                there,
                self.fast.encoded(self.inducing[readout]),
                self.processes[readout].logs[:-1].exp(),
                self.updates[readout],
                self.prior,
                readout,
            )
            for readout in readouts
        )
        return mixed_halves(ItemPlaces.of(items), forms, sizes, centres)

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """As arrays by name."""
        held: dict[str, npt.NDArray[np.generic]] = {"logs": numpy_of(self.logs)}
        for readout, (picked, each) in enumerate(zip(self.inducing, self.processes, strict=True)):
            held |= combination_arrays(picked, f"inducing.{readout}")
            held[f"factor.{readout}"] = numpy_of(each.factor)
            held[f"inner.{readout}"] = numpy_of(each.inner)
            held[f"mean.{readout}"] = numpy_of(each.mean)
        return held
