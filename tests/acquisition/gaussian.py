"""A small Gaussian process over pairs, fixed by hand, for acquisitions that see only its model."""

import numpy as np
import torch
from botorch.models import SingleTaskGP
from botorch.models.transforms.input import InputTransform
from gpytorch.kernels import RBFKernel, ScaleKernel
from torch import Tensor

from tests.acquisition.small_space import SmallSpace


class _Rescaled(InputTransform, torch.nn.Module):
    """Positions divided by ten: the kernel's length scale is one."""

    def __init__(self) -> None:
        super().__init__()
        self.is_one_to_many = False
        self.transform_on_train = True
        self.transform_on_eval = True
        self.transform_on_fantasize = True

    def transform(self, X: Tensor) -> Tensor:  # noqa: N803
        return X / 10


def gaussian_process(factor: float = 1.0, shift: float = 0.0) -> SingleTaskGP:
    """A GP that has seen 12 pairs; noise SD 0.3, in float64; all times `factor` plus `shift`."""
    space = SmallSpace()
    rows = torch.from_numpy(space.unrank(np.arange(2, 50, 4)).features())
    values = torch.sin(rows[:, :1]) + torch.cos(2 * rows[:, 1:2]) + rows[:, -1:]
    model = SingleTaskGP(
        rows,
        factor * values + shift,
        covar_module=ScaleKernel(RBFKernel()),
        input_transform=_Rescaled(),
        outcome_transform=None,
    )
    model.likelihood.noise = 0.09 * factor**2
    model.covar_module.base_kernel.lengthscale = 0.4
    model.covar_module.outputscale = 1.5 * factor**2
    model.mean_module.constant = shift
    model.eval()
    return model
