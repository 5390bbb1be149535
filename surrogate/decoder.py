"""Decoders: altered state -> readouts, all members at once."""

import torch
from torch import Tensor, nn

from surrogate.anchor import Anchor
from surrogate.stacked_linear import StackedLinear


class Decoder(nn.Module):
    """A linear map plus one hidden layer, from (M, N, s) to (M, N, m) in standardised units."""

    def __init__(
        self, members: int, state: int, width: int, readouts: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self._size = width**-0.5
        self.linear = StackedLinear(members, state, readouts, generator)
        self.inner = StackedLinear(members, state, width, generator)
        self.outer = StackedLinear(members, width, readouts, generator, gain=0.0)
        self.bias = nn.Parameter(torch.zeros(members, 1, readouts))

    def forward(self, states: Tensor) -> Tensor:
        """Means of the readouts, shape (M, N, m)."""
        predicted: Tensor = self.linear(states) + self.outer(self.hidden(states)) + self.bias
        return predicted

    def hidden(self, states: Tensor) -> Tensor:
        """The hidden layer, shape (M, N, w)."""
        hidden: Tensor = torch.relu(self.inner(states)) * self._size
        return hidden

    @torch.no_grad()
    def rescale(self, factor: Tensor, offset: Tensor) -> None:
        """Make every output `factor * output + offset`, both of shape (m,), exactly."""
        self.linear.multiply(factor)
        self.outer.multiply(factor)
        self.bias.mul_(factor).add_(offset)

    def anchors(self) -> list[Anchor]:
        """What holds each parameter."""
        layers = [each.anchor for each in (self.linear, self.inner, self.outer)]
        return [*layers, Anchor(self.bias)]
