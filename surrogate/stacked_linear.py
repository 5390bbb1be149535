"""One linear layer of all members of an ensemble, as one batched product."""

import torch
from torch import Tensor, nn

from surrogate.anchor import Anchor


class StackedLinear(nn.Module):
    """M linear maps side by side, `weight` of shape (M, in, out).

    Each member draws its own start from a normal of SD `gain / sqrt(in)` and is held near it by
    that normal as a prior (anchored ensembling, Pearce et al., 2020: without data the members
    stay a draw from the prior). A gain of 0 starts at 0, with a unit normal as the prior.
    """

    def __init__(
        self,
        members: int,
        inputs: int,
        outputs: int,
        generator: torch.Generator,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        start = torch.randn(members, inputs, outputs, generator=generator)
        start = start * (gain / max(inputs, 1) ** 0.5)
        self._precision = max(inputs, 1) / gain**2 if gain else 1.0
        self.weight = nn.Parameter(start.clone())
        self.start: Tensor
        self.register_buffer("start", start)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (M, N, in), or (N, in) shared by all members, to (M, N, out)."""
        if inputs.dim() == 2:
            inputs = inputs.expand(self.weight.shape[0], -1, -1)
        return torch.bmm(inputs, self.weight)

    @property
    def anchor(self) -> Anchor:
        """What holds the weights."""
        return Anchor(self.weight, self.start, self._precision)

    @torch.no_grad()
    def multiply(self, factor: Tensor | float) -> None:
        """Multiply the weights, and where they started, by a factor that broadcasts."""
        self.weight.mul_(factor)
        self.start.mul_(factor)
