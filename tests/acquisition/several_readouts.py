"""Surrogates of several readouts, with members and without, and what has been observed of them."""

from collections.abc import Sequence

import numpy as np
import torch
from botorch.models import ModelListGP
from torch import Tensor

from loop.ports.arrays import BoolArray, Combinations, FloatArray, TrainingSet
from tests.acquisition.gaussian import gaussian_process
from tests.acquisition.linear_draws import LinearDraws
from tests.acquisition.small_space import SmallSpace


class SeveralReadouts(LinearDraws):
    """Readout r is that of the perturbagens rolled by r places; each may be scaled."""

    def __init__(self, scales: Sequence[float], members: int = 6) -> None:
        super().__init__(members=members)
        self._scales = scales

    def member_means(self, combinations: Combinations) -> Tensor:
        count = self.effects.shape[1]
        columns = []
        for by, scale in enumerate(self._scales):
            rolled = np.sort((combinations.components + by) % count, axis=1)
            moved = Combinations(rolled, combinations.levels, combinations.contexts)
            columns.append(scale * super().member_means(moved))
        return torch.cat(columns, dim=-1)

    def noise_sd(self) -> Tensor:
        return torch.tensor([0.5 * abs(scale) for scale in self._scales], dtype=torch.float64)


def two_processes(signs: Sequence[float]) -> ModelListGP:
    """Two Gaussian processes over pairs: the fixed one, and one that has seen its mirror image."""
    return ModelListGP(gaussian_process(signs[0]), gaussian_process(-0.5 * signs[1]))


def observed(values: FloatArray, scales: Sequence[float], addresses: Sequence[int]) -> TrainingSet:
    """Observations of some addresses of the small space, values (n, R) times `scales`."""
    n, readouts = values.shape
    nobody: BoolArray = np.zeros(n, dtype=np.bool_)
    return TrainingSet(
        SmallSpace().unrank(np.array(addresses)),
        values * np.array(scales),
        np.ones((n, readouts), dtype=np.int64),
        np.full((n, readouts), np.nan),
        np.arange(n, dtype=np.uint64),
        nobody,
    )
