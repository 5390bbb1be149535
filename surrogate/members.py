"""All members of an ensemble: manipulators with their decoders, from perturbations to readouts."""

import copy
from dataclasses import replace

import torch
from torch import Tensor, nn

from surrogate.anchor import Anchor
from surrogate.decoder import Decoder
from surrogate.encoding import Items, Rows
from surrogate.manipulator import ContextTable, ItemTable, Manipulator, Shape
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

    def tables(self, items: Items) -> tuple[ItemTable, ContextTable]:
        """What depends on items alone, and what on contexts alone."""
        return (
            self.manipulator.vectors(items, self.scales),
            self.manipulator.context_table(self.contexts, self.scales),
        )

    def forward(self, tables: tuple[ItemTable, ContextTable], rows: Rows) -> Tensor:
        """Means of every member, shape (M, N, m)."""
        predicted: Tensor = self.decoder(self.states(tables, rows))
        return predicted

    def states(self, tables: tuple[ItemTable, ContextTable], rows: Rows) -> Tensor:
        """Altered states of every member, shape (M, N, s)."""
        altered: Tensor = self.manipulator(*tables, rows, self.scales)
        return altered

    def anchors(self) -> list[Anchor]:
        """What holds each parameter that is in use and holds any number."""
        every = self.manipulator.anchors() + self.decoder.anchors()
        return [each for each in every if each.parameter.numel()]

    def prior(self) -> Tensor:
        """Minus the log prior of each member, shape (M,), up to a constant."""
        return torch.stack([each.cost() for each in self.anchors()]).sum(dim=0)

    def part(self, chosen: slice) -> "Members":
        """Some of the members, in the same memory: what is learned here is learned there.

        Every parameter, and every buffer whose name ends in `start`, is cut along its first axis.
        """
        starts = {name: each for name, each in self.named_buffers() if name.endswith("start")}
        twins: dict[int, object] = {id(each): each for each in self.buffers()}
        twins |= {id(each): each[chosen] for each in starts.values()}
        # `data`, not `detach()`: parts change their memory side by side, and autograd's count of
        # changes must be each part's own.
        twins |= {id(each): nn.Parameter(each.data[chosen]) for each in self.parameters()}
        count = len(range(self.shape.members)[chosen])
        twins[id(self.shape)] = replace(self.shape, members=count)
        return copy.deepcopy(self, twins)
