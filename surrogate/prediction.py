"""Every member's prediction of many perturbations, a tile of rows at a time."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from loop.domain.errors import InvalidError
from loop.ports.arrays import Combinations
from surrogate.encoding import Encoder, Rows
from surrogate.manipulator import ContextTable, ItemTable
from surrogate.members import Members
from surrogate.memory import ran_out

Read = Callable[[Members, tuple[ItemTable, ContextTable], Rows], Tensor]
_CHUNK = 65_536
_TILE_ON_CPU = 1_024
_BAND = 8
"""Tiles that one member predicts before the next one's turn, where members take turns."""


@torch.no_grad()
def tiles(
    members: Members, encoder: Encoder, combinations: Combinations, read: Read = Members.__call__
) -> Iterator[Tensor]:
    """Every member's prediction in standard units, in order, each tile (M, rows, m).

    `read` may be `Members.states` for altered states instead, each tile (M, rows, s).

    A tile fits a CPU's cache, and where there are many rows members take turns on a CPU, for the
    numbers of one fit a cache that those of all do not (twice as fast at 16 members 128 wide);
    where memory runs out, the tiles become smaller, then the chunks whose items are computed
    together, and then the members go one after the other everywhere.

    Raises:
        InvalidError: If there is no memory for one row of one member.
    """
    on_cpu = members.contexts.device.type == "cpu"
    chunk, tile = _CHUNK, _TILE_ON_CPU if on_cpu else _CHUNK
    groups = _one_by_one(members) if on_cpu and len(combinations) > _BAND * tile else [members]
    first = 0
    while first < len(combinations):
        part = combinations[slice(first, first + chunk)]
        done = 0
        try:
            for answer in _chunk_tiles(groups, encoder, part, tile, read):
                yield answer
                done += answer.shape[1]
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
        first += done
        if done < len(part):
            chunk, tile, groups = _smaller(chunk, tile, groups, members)


def _chunk_tiles(
    groups: list[Members], encoder: Encoder, combinations: Combinations, tile: int, read: Read
) -> Iterator[Tensor]:
    items, rows = encoder(combinations)
    tables = [each.tables(items) for each in groups]
    band = tile if len(groups) == 1 else _BAND * tile
    for first in range(0, len(combinations), band):
        stop = min(first + band, len(combinations))
        parts = [rows[slice(at, min(at + tile, stop))] for at in range(first, stop, tile)]
        answers = [
            torch.cat([read(*each, part) for part in parts], dim=1)
            for each in zip(groups, tables, strict=True)
        ]
        yield answers[0] if len(answers) == 1 else torch.cat(answers)


def _one_by_one(members: Members) -> list[Members]:
    return [members.part(slice(at, at + 1)) for at in range(members.shape.members)]


def _smaller(
    chunk: int, tile: int, groups: list[Members], members: Members
) -> tuple[int, int, list[Members]]:
    """A smaller way to go about it: tiles first, for they cost the least time."""
    count = members.shape.members
    if tile > 64:
        return chunk, min(tile, chunk) // 4, groups
    if chunk > 256:
        return chunk // 8, tile, groups
    if len(groups) < count:
        return chunk, tile, _one_by_one(members)
    if chunk > 1:
        return max(chunk // 4, 1), max(tile // 4, 1), groups
    msg = (
        "There is not enough memory to predict one perturbation by one member; set smaller "
        "`width`, `state` or `interaction` under [surrogate]."
    )
    raise InvalidError(msg)
