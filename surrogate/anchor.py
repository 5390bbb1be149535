"""What holds a parameter near its start: a normal prior, for each member its own."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Anchor:
    """A parameter (M, ...), where it is held (None: at 0), and how firmly (1 / variance)."""

    parameter: nn.Parameter
    start: Tensor | None = None
    precision: float = 1.0

    def cost(self) -> Tensor:
        """Minus the log prior of each member, shape (M,), up to a constant."""
        away = self.parameter if self.start is None else self.parameter - self.start
        return 0.5 * self.precision * away.flatten(1).square().sum(dim=1)

    @torch.no_grad()
    def pull(self, weight: float) -> None:
        """Add the gradient of `weight * cost()` to the parameter's.

        Written out, since autograd would make half a dozen passes over every parameter of it.
        """
        gradient = self.parameter.grad
        if gradient is None:
            gradient = self.parameter.grad = torch.zeros_like(self.parameter)
        gradient.add_(self.parameter, alpha=weight * self.precision)
        if self.start is not None:
            gradient.sub_(self.start, alpha=weight * self.precision)
