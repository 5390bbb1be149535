"""An ensemble's predictions of tiles: items times prefixes, without looking at them one by one.

All that enters a manipulator are sums over a set's items, so a prefix counts by its sum and
triples cost as much as pairs. For one prefix, what an item changes is

- its effect, an addition to the state;
- the pairwise path, linear in the item's vector: one matrix (w, s) for each prefix, and those of
  all prefixes side by side make one product for the whole tile;
- the hidden layer, relu(prefix + item) = max(item, -prefix) + prefix: one pass over memory, and a
  constant of the prefix.

Doses act on items and contexts on prefixes, so neither costs anything.
"""

import torch
from torch import Tensor

from loop.ports.arrays import Combinations
from surrogate.encoding import Encoder
from surrogate.ensemble_prefixes import Begun, begun
from surrogate.ensemble_tables import EnsembleTables
from surrogate.learned_ensemble import LearnedEnsemble
from surrogate.scratch import Scratch
from surrogate.tile_blocks import Blocks, HalfBlocks

_ROWS_ON_CPU, _ROWS_ELSEWHERE = 16, 64
_COLUMNS_ELSEWHERE = 1_024
_BYTES_ON_CPU = 2**21
"""Of one member's hidden layer in a block: so few that other cores leave it in the cache, and so
many that the cost of calling torch does not show."""
_LEAST_WIDTH = 64
"""Below it, the passes over memory take as long in bf16 as the products in float32."""


class EnsembleTiler:
    """Tiles of an ensemble's predictions; the meaning of its methods is that of a `Tiler`.

    `group` members are computed at a time, and about `block` prefix-item pairs of them: on a CPU
    one member and what its cache holds, elsewhere all members and as many as pay. The last bit of
    an answer hangs on both, but not on what was asked before; nor on twins in other threads, if
    torch computes with one thread in each (products of small tiles may differ with more).
    """

    def __init__(self, tables: EnsembleTables, group: int, block: int) -> None:
        self._tables = tables
        self._group = group
        self._block = block
        self._parts = [slice(at, at + group) for at in range(0, len(tables.inner), group)]
        kind = Blocks if tables.vectors.dtype == tables.effects.dtype else HalfBlocks
        scratch = Scratch()
        self._blocks = [kind(tables.part(part), scratch) for part in self._parts]

    @classmethod
    def of(
        cls,
        learned: LearnedEnsemble,
        encoder: Encoder,
        items: Combinations,
        readouts: tuple[int, ...],
        precision: str,
    ) -> "EnsembleTiler":
        """A tiler for the device on which the members are.

        `precision` 'bf16' is heard where products in bf16 are faster than in float32.
        """
        tables = EnsembleTables.of(learned, encoder, items, readouts)
        if precision == "bf16" and _half_pays(tables):
            tables = tables.in_half()
        members, _, width = tables.inner.shape
        if tables.inner.device.type != "cpu":
            return cls(tables, members, _ROWS_ELSEWHERE * _COLUMNS_ELSEWHERE)
        pairs = _BYTES_ON_CPU // (width * tables.hidden.element_size())
        return cls(tables, 1, max(pairs, 4 * _ROWS_ON_CPU))

    @property
    def members(self) -> int:
        """M."""
        return len(self._tables.inner)

    @property
    def rows(self) -> int:
        """How many prefixes a full tile should have."""
        return _ROWS_ON_CPU if self._on_cpu else _ROWS_ELSEWHERE

    @property
    def columns(self) -> int:
        """How many items a full tile should have."""
        return max(self._block // self.rows, 1)

    @property
    def flops_per_candidate(self) -> float:
        """Of the products that a candidate needs; what is done once a prefix is left out."""
        members, s, w = self._tables.inner.shape
        pairs = min(w, self._tables.pairwise.shape[1])
        return 2.0 * members * ((2 * w + pairs) * s + (s + w) * self._tables.linear.shape[2])

    def twin(self) -> "EnsembleTiler":
        """A tiler with buffers of its own and the same tables."""
        return EnsembleTiler(self._tables, self._group, self._block)

    @torch.no_grad()
    def begin(self, prefixes: Combinations) -> list[Begun]:
        """Sum up R prefixes of one context; see `surrogate.ensemble_prefixes`."""
        whole = begun(self._tables, prefixes)
        return [whole.part(part) for part in self._parts]

    @torch.no_grad()
    def means(self, begun: list[Begun], first: int, stop: int, out: Tensor) -> None:
        """Fill `out`, shape (R', M, stop - first, R)."""
        step = max(self._block // out.shape[3], 1)
        for part, blocks, each in zip(self._parts, self._blocks, begun, strict=True):
            told = out[:, part]
            for start in range(first, stop, step):
                end = min(start + step, stop)
                blocks(each, start, end, told[:, :, start - first : end - first])

    @property
    def _on_cpu(self) -> bool:
        return self._tables.inner.device.type == "cpu"


def _half_pays(tables: EnsembleTables) -> bool:
    if tables.effects.dtype != torch.float32 or tables.inner.shape[2] < _LEAST_WIDTH:
        return False
    if tables.effects.device.type != "cpu":
        return True
    here = torch.cpu.get_capabilities()
    return bool(here.get("avx512_bf16") or here.get("amx_bf16"))
