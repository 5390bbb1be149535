"""Tiles of draws that are mixtures of functions: each draw adds up functions told by others."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from loop.ports.arrays import Combinations
from surrogate.placement import Placement
from surrogate.scratch import Scratch

_NOTHING = 1e-12
_NUMBERS = 2**19
"""Of all functions together in one block; few enough for a shared cache."""


class Part(Protocol):
    """What tells functions, tile by tile; a surrogate's tiler is one."""

    @property
    def members(self) -> int:
        """How many functions, F."""
        ...

    @property
    def rows(self) -> int:
        """How many prefixes a full tile should have."""
        ...

    @property
    def columns(self) -> int:
        """How many items a full tile should have."""
        ...

    @property
    def flops_per_candidate(self) -> float:
        """Multiplications and additions in products."""
        ...

    def begin(self, prefixes: Combinations) -> Any:
        """What `means` needs to know of R prefixes."""
        ...

    def means(self, begun: Any, first: int, stop: int, out: Tensor) -> None:
        """Fill `out`, shape (R', F, stop - first, R)."""
        ...

    def twin(self) -> "Part":
        """The same with buffers of its own."""
        ...


@runtime_checkable
class Divisible(Part, Protocol):
    """A part that can tell its first functions without the others."""

    def leading(self, functions: int) -> Part:
        """The first of the functions alone."""
        ...


@dataclass(frozen=True, slots=True)
class Mixture:
    """S draws as sums of F functions: `weights` (R', S, F), and `centre` (R', S), of one dtype."""

    weights: Tensor
    centre: Tensor


class MixedTiler:
    """Tiles of S draws, each a mixture of the functions that the parts tell."""

    def __init__(self, parts: tuple[Part, ...], mixture: Mixture) -> None:
        self.parts = parts
        self.mixture = mixture
        self._scratch = Scratch()

    @property
    def members(self) -> int:
        """S."""
        return self.mixture.centre.shape[1]

    @property
    def rows(self) -> int:
        """How many prefixes a full tile should have."""
        return max(part.rows for part in self.parts)

    @property
    def columns(self) -> int:
        """How many items a full tile should have."""
        return max(part.columns for part in self.parts)

    @property
    def flops_per_candidate(self) -> float:
        """Of the parts, and of mixing what they tell."""
        return sum(part.flops_per_candidate for part in self.parts) + 2.0 * (
            self.mixture.weights.numel()
        )

    def twin(self) -> "MixedTiler":
        """The same with buffers of its own."""
        return MixedTiler(tuple(part.twin() for part in self.parts), self.mixture)

    @torch.no_grad()
    def begin(self, prefixes: Combinations) -> list[Any]:
        """What the parts make of R prefixes."""
        return [part.begin(prefixes) for part in self.parts]

    @torch.no_grad()
    def means(self, begun: Any, first: int, stop: int, out: Tensor) -> None:
        """Fill `out`, shape (R', S, stop - first, R)."""
        readouts, _, functions = self.mixture.weights.shape
        rows = out.shape[3]
        step = max(_NUMBERS // (functions * rows), 1)
        for start in range(first, stop, step):
            end = min(start + step, stop)
            told = self._scratch(
                "told", self.mixture.weights, readouts, functions, end - start, rows
            )
            place = 0
            for part, each in zip(self.parts, begun, strict=True):
                part.means(each, start, end, told[:, place : place + part.members])
                place += part.members
            self._mix(told, out[:, :, start - first : end - first])

    def _mix(self, told: Tensor, out: Tensor) -> None:
        readouts, draws, columns, rows = out.shape
        mixed = self._scratch("mixed", told, readouts, draws, columns * rows)
        torch.baddbmm(
            self.mixture.centre[..., None], self.mixture.weights, told.flatten(2), out=mixed
        )
        out.copy_(mixed.view(out.shape))


def alone(functions: int, sizes: Tensor, centres: Tensor) -> Mixture:
    """Draws that are a function each; `sizes` and `centres`, (R',), put them in units."""
    weights = torch.eye(functions).to(sizes) * sizes[:, None, None]
    return Mixture(weights, centres[:, None].expand(-1, functions))


def halves(functions: int, sizes: Tensor, centres: Tensor) -> Mixture:
    """Draws from their mean and by how much the first half differs from it, F functions.

    The draws are mean + difference and then mean - difference; `sizes` and `centres`, (R',), put
    them in the readouts' units.
    """
    apart = torch.eye(functions - 1).to(sizes)
    signed = torch.cat([apart, -apart])
    mean = signed.new_ones(len(signed), 1)
    weights = torch.cat([mean, signed], dim=1)
    return Mixture(weights * sizes[:, None, None], centres[:, None].expand(-1, len(signed)))


def taken_apart(part: Part, readouts: int) -> tuple[tuple[Part, ...], Tensor]:
    """What a tiler is a mixture of: parts, and how they are mixed, with the centre last.

    The mixture has the shape (R', S, F + 1), float64, on the CPU. A tiler that is no mixture is
    its own only part, and each draw is one function.
    """
    if not isinstance(part, MixedTiler):
        return (part,), torch.eye(part.members, part.members + 1).double().expand(readouts, -1, -1)
    mixture = part.mixture
    whole = torch.cat([mixture.weights, mixture.centre[..., None]], dim=2)
    return part.parts, whole.double().cpu()


def side_by_side(mixtures: list[Tensor]) -> list[Tensor]:
    """Mixtures of different functions, as above, as mixtures of the functions of all of them."""
    sizes = [each.shape[2] - 1 for each in mixtures]
    among = []
    for place, each in enumerate(mixtures):
        before, after = sum(sizes[:place]), sum(sizes[place + 1 :])
        weights = nn.functional.pad(each[..., :-1], (before, after))
        among.append(torch.cat([weights, each[..., -1:]], dim=2))
    return among


def put_together(parts: tuple[Part, ...], mixture: Tensor, placement: Placement) -> MixedTiler:
    """The inverse of `taken_apart`, without the last functions of a part that no draw needs."""
    weights = mixture[..., :-1]
    kept: list[Part] = []
    columns: list[Tensor] = []
    blocks = torch.split(weights, [part.members for part in parts], dim=2)
    for part, block in zip(parts, blocks, strict=True):
        needed = torch.nonzero(block.abs().amax(dim=(0, 1)) > _NOTHING * weights.abs().max())
        last = int(needed.max()) + 1 if len(needed) else 1
        leading = part.leading(last) if isinstance(part, Divisible) else part
        kept.append(leading)
        columns.append(block[..., : leading.members])
    mixed, centre = (
        each.to(placement.device, placement.dtype)
        for each in (torch.cat(columns, dim=2), mixture[..., -1])
    )
    return MixedTiler(tuple(kept), Mixture(mixed, centre))
