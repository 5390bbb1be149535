"""Adam with one step size for each member and parameter, rather than for each number.

Adam (Kingma and Ba, 2015) divides every number of a gradient by that number's own size. Where
signal is scarce that makes all directions equal, and undoes the order of the principal components
and of well and badly measured perturbagens: prediction from 128 wells was clearly worse. Here the
second moment is the mean over a member's whole parameter (as in Adam-mini, Zhang et al., 2024,
whose blocks are other).
"""

import torch
from torch import Tensor, nn


class BlockAdam:
    """Adam over stacked parameters (M, ...), one block for each member and parameter."""

    def __init__(
        self,
        parameters: list[nn.Parameter],
        momentum: float = 0.9,
        memory: float = 0.99,
    ) -> None:
        self._parameters = parameters
        self._momentum = momentum
        self._memory = memory
        self._first = [torch.zeros_like(each) for each in parameters]
        self._second = [each.new_zeros(_block_shape(each)) for each in parameters]
        self._steps = 0

    @torch.no_grad()
    def step(self, learning_rate: float) -> None:
        """Move every parameter along its gradient."""
        self._steps += 1
        grown = 1 - self._momentum**self._steps
        seen = 1 - self._memory**self._steps
        for each, first, second in zip(self._parameters, self._first, self._second, strict=True):
            gradient = each.grad
            if gradient is None:
                continue
            first.lerp_(gradient, 1 - self._momentum)
            square = gradient.flatten(1).square().mean(dim=1).view(second.shape)
            second.lerp_(square, 1 - self._memory)
            size = (second / seen).sqrt().add_(1e-12)
            each.sub_(first / size, alpha=learning_rate / grown)


def _block_shape(parameter: Tensor) -> tuple[int, ...]:
    return (parameter.shape[0], *[1] * (parameter.dim() - 1))
