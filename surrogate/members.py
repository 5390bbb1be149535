"""All members of an ensemble: manipulators with their decoders, from perturbations to readouts."""

import torch
from torch import Tensor, nn

from surrogate.decoder import Decoder
from surrogate.encoding import Items, Rows
from surrogate.manipulator import ContextTable, Manipulator, Shape
from surrogate.path_scales import PathScales


class Members(nn.Module):
    """M manipulators and decoders as one network; outputs are in standardised units.

    `contexts` are the columns of the C contexts, shape (C, c).
    """

    def __init__(
        self,
        shape: Shape,
        scales: PathScales,
        contexts: Tensor,
        seen: Tensor,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.shape = shape
        self.scales = scales
        self.contexts: Tensor
        self.register_buffer("contexts", contexts)
        self.manipulator = Manipulator(shape, seen, generator)
        self.decoder = Decoder(shape.members, shape.state, shape.width, shape.readouts, generator)

    def rescale(self, scales: PathScales) -> None:
        """Take new scales without changing what is predicted."""
        self.manipulator.rescale(self.scales, scales)
        self.scales = scales

    def tables(self, items: Items) -> tuple[Tensor, ContextTable]:
        """What depends on items alone, and what on contexts alone."""
        return (
            self.manipulator.vectors(items, self.scales),
            self.manipulator.context_table(self.contexts, self.scales),
        )

    def forward(self, tables: tuple[Tensor, ContextTable], rows: Rows) -> Tensor:
        """Means of every member, shape (M, N, m)."""
        states = self.manipulator(*tables, rows, self.scales)
        predicted: Tensor = self.decoder(states)
        return predicted

    def prior(self) -> Tensor:
        """Minus the log prior of each member, shape (M,), up to a constant."""
        return self.manipulator.prior() + self.decoder.prior()
