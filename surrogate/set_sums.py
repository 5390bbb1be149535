"""Sums over the items of each set and over their pairs, with a gradient of their own.

Left to autograd, every gathered row and product would be a tensor with a gradient; a CPU's
training step is bound by that traffic. Here the gradient is written out: adding rows up is the
transpose of gathering them.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def set_sums(plain: Tensor, factors: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Sums over items, and over pairs of different items, for N sets, in O(N k).

    Args:
        plain: What is summed, shape (M, U, a).
        factors: Left and right factors side by side, shape (M, U, 2q).
        places: Rows of both tables, shape (N, k), k >= 1.

    Returns:
        The sums of `plain`, shape (M, N, a), and the sums over slots i != j of
        left_i * right_j, by power sums, shape (M, N, q).
    """
    summed, pairs = _SetSums.apply(plain, factors, places)  # type: ignore[no-untyped-call]
    return summed, pairs


class _SetSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, plain: Tensor, factors: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        slots = places.unbind(1)
        gathered = [factors.index_select(1, slot) for slot in slots]
        ctx.save_for_backward(places, *gathered)
        ctx.shapes = plain.shape, factors.shape
        return _summed(plain, slots), _pairs(gathered)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, summed: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor, None]:
        places, *gathered = ctx.saved_tensors
        # Under autocast the two tables may differ in precision.
        plain, factors = summed.new_zeros(ctx.shapes[0]), pairs.new_zeros(ctx.shapes[1])
        slots = places.unbind(1)
        for slot in slots:
            plain.index_add_(1, slot, summed)
        if len(slots) > 1:
            _add_to_pairs(factors, slots, gathered, pairs)
        return plain, factors, None


def _summed(plain: Tensor, slots: tuple[Tensor, ...]) -> Tensor:
    total = plain.index_select(1, slots[0])
    for slot in slots[1:]:
        total += plain.index_select(1, slot)
    return total


def _pairs(gathered: list[Tensor]) -> Tensor:
    q = gathered[0].shape[2] // 2
    if len(gathered) == 1:
        return torch.zeros_like(gathered[0][..., :q])
    if len(gathered) == 2:
        one, other = gathered
        return (one[..., :q] * other[..., q:]).addcmul_(one[..., q:], other[..., :q])
    total = _total(gathered)
    pairs = total[..., :q] * total[..., q:]
    for each in gathered:
        pairs.addcmul_(each[..., :q], each[..., q:], value=-1)
    return pairs


def _add_to_pairs(
    gradient: Tensor, slots: tuple[Tensor, ...], gathered: list[Tensor], pairs: Tensor
) -> None:
    """Add to the factors' gradient: that of an item's left is the sum of the others' right."""
    q = pairs.shape[2]
    turned = torch.empty_like(gathered[0])
    total = _total(gathered) if len(gathered) > 2 else None
    for place, slot in enumerate(slots):
        others = gathered[1 - place] if total is None else total - gathered[place]
        torch.mul(pairs, others[..., q:], out=turned[..., :q])
        torch.mul(pairs, others[..., :q], out=turned[..., q:])
        gradient.index_add_(1, slot, turned)


def _total(gathered: list[Tensor]) -> Tensor:
    total = gathered[0] + gathered[1]
    for each in gathered[2:]:
        total += each
    return total
