"""Adam with one step size for each member and parameter, rather than for each number.

Adam (Kingma and Ba, 2015) divides every number of a gradient by that number's own size. Where
signal is scarce that makes all directions equal, and undoes the order of the principal components
and of well and badly measured perturbagens: prediction from 128 wells was clearly worse. Here the
second moment is the mean over a member's whole parameter (as in Adam-mini, Zhang et al., 2024,
whose blocks are other).
"""

import torch
from torch import Tensor, nn

_MOMENTUM = 0.9
_MEMORY = 0.99


class BlockAdam:
    """Adam over stacked parameters (M, ...), one block for each member and parameter.

    Each member's gradient is clipped to a norm of `largest`, for itself: clipping the stacked
    gradient as a whole would let one member slow all others.
    """

    def __init__(self, parameters: list[nn.Parameter], largest: float = 1.0) -> None:
        self._parameters = parameters
        self._largest = largest
        self.first = [torch.zeros_like(each) for each in parameters]
        self.second = [each.new_zeros(each.shape[0]) for each in parameters]

    def part(self, parameters: list[nn.Parameter], chosen: slice) -> "BlockAdam":
        """The optimiser of some members, given their parameters; it shares this one's memory."""
        part = BlockAdam([], self._largest)
        part._parameters = parameters
        part.first = [each[chosen] for each in self.first]
        part.second = [each[chosen] for each in self.second]
        return part

    @torch.no_grad()
    def step(self, learning_rate: float, number: int) -> None:
        """Move every parameter along its gradient, in step `number`, counted from 1."""
        grown, seen = 1 - _MOMENTUM**number, 1 - _MEMORY**number
        gradients = [_gradient(each) for each in self._parameters]
        factor, squares = clipping(gradients, self._largest)
        for parameter, gradient, square, first, second in zip(
            self._parameters, gradients, squares, self.first, self.second, strict=True
        ):
            shape = (-1, *[1] * (parameter.dim() - 1))
            second.lerp_(square * factor.square() / parameter[0].numel(), 1 - _MEMORY)
            first.mul_(_MOMENTUM).addcmul_(gradient, ((1 - _MOMENTUM) * factor).view(shape))
            size = (second / seen).sqrt().add_(1e-12)
            parameter.addcmul_(first, (-learning_rate / grown / size).view(shape))


def clipping(gradients: list[Tensor], largest: float) -> tuple[Tensor, list[Tensor]]:
    """What each member's gradient must be multiplied by for a norm of at most `largest`, (M,).

    And the sum of squares of each gradient for each member, before that.
    """
    norms = [torch.linalg.vector_norm(each.flatten(1), dim=1) for each in gradients]
    squares = [each.square() for each in norms]
    whole = torch.stack(squares).sum(dim=0).sqrt()
    return (largest / whole.clamp(min=1e-12)).clamp(max=1.0), squares


def _gradient(parameter: nn.Parameter) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
