"""Manipulators: (state of a context, set of perturbagens) -> altered state, all members at once.

The set enters through sums only, so the order of its components cannot matter; the empty set is
exactly the identity. Four paths add up: effects from URs, effects of a perturbagen's own, a
pairwise path (power sums, as in factorisation machines, Rendle 2010), and a free network over the
summed set (Zaheer et al., Deep Sets, 2017). Unlike in Deep Sets the first three are there
explicitly, and every path starts at zero and is scaled by what the data say of it
(`surrogate.path_scales`): a few hundred wells cannot teach a free network which path matters.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from surrogate.anchor import Anchor
from surrogate.encoding import Items, Rows
from surrogate.path_scales import PathScales
from surrogate.set_kernel import OWN
from surrogate.set_sums import set_sums
from surrogate.stacked_linear import StackedLinear

_STRANGERS = 64


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the networks.

    M `members`; `rank` r columns of a perturbagen's UR, `perturbagens` P of them; `contexts` C of
    `context_rank` c columns; `slots` k; `width` w of a perturbagen's vector and of hidden layers;
    `state` s columns of a state; `interaction` q columns of the pairwise path; `readouts` m;
    `doses`: whether amounts vary; `prior` F columns of prior evidence.
    """

    members: int
    rank: int
    perturbagens: int
    contexts: int
    context_rank: int
    slots: int
    width: int
    state: int
    interaction: int
    readouts: int
    doses: bool
    prior: int = 0


@dataclass(frozen=True, slots=True)
class ItemTable:
    """What depends on the item alone; the last row is 0.

    `plain`, shape (M, U + 1, s + w), adds up over a set: effects, then what goes to the hidden
    layer. `factors`, shape (M, U + 1, 2q), meet in pairs.
    """

    plain: Tensor
    factors: Tensor


@dataclass(frozen=True, slots=True)
class ContextTable:
    """What depends on the context alone, each (M, C, ...).

    The state; factors on effects and on pairs; the hidden layer, and what it gives at rest.
    """

    state: Tensor
    gain: Tensor
    pair_gain: Tensor
    hidden: Tensor
    at_rest: Tensor


class Manipulator(nn.Module):
    """M manipulators in one computation; `seen` perturbagens have parameters of their own."""

    def __init__(self, shape: Shape, seen: Tensor, generator: torch.Generator) -> None:
        super().__init__()
        m, w, s, q = shape.members, shape.width, shape.state, shape.interaction
        r, c = shape.rank, shape.context_rank
        self._shape = shape
        self.project = StackedLinear(m, r, w, generator)
        self.factors = StackedLinear(m, w, 2 * q, generator)
        self.inner = StackedLinear(m, w, w, generator)
        self.effect = StackedLinear(m, r, s, generator, gain=0.0)
        self.unknown = nn.Parameter(torch.zeros(m, 1, s))
        self.own_effect = nn.Parameter(torch.zeros(m, len(seen), s))
        self.own_start: Tensor
        self.register_buffer("own_start", torch.randn(m, len(seen), w, generator=generator))
        self.own_vector = nn.Parameter(self.own_start.clone())
        self.home: Tensor
        self.register_buffer("home", _homes(seen, shape.perturbagens))
        self.stranger_start: Tensor
        self.register_buffer("stranger_start", _strangers(m, _STRANGERS, s), persistent=False)
        self.abroad_start: Tensor
        self.register_buffer("abroad_start", _strangers(m, shape.contexts, s), persistent=False)
        self.unmet: Tensor
        self.register_buffer("unmet", torch.zeros(shape.contexts, 1))
        self.slope = nn.Parameter(torch.zeros(m, 1, s + w))
        self.shift = StackedLinear(m, w, s + w, generator, gain=0.3)
        self.context_state = StackedLinear(m, c, s, generator, gain=0.0)
        self.context_gain = StackedLinear(m, c, s, generator)
        self.context_pair_gain = StackedLinear(m, c, q, generator)
        self.context_hidden = StackedLinear(m, c, w, generator)
        self.pairwise = StackedLinear(m, q, s, generator, gain=0.0)
        self.outer = StackedLinear(m, w, s, generator, gain=0.0)
        self.heed = StackedLinear(m, shape.prior, s, generator, gain=0.0)

    @property
    def seen(self) -> Tensor:
        """Which perturbagens have parameters of their own: positions, ascending, on the CPU."""
        home = self.home.cpu()
        return torch.nonzero(home < self.own_effect.shape[1]).flatten()

    @torch.no_grad()
    def meet(self, perturbagens: Tensor, generator: torch.Generator) -> None:
        """Give parameters to those of some perturbagens that have none; the others keep theirs."""
        before = self.seen
        after = torch.unique(torch.cat([before, perturbagens]))
        places = torch.searchsorted(after, before).to(self.own_effect.device)
        members, _, s = self.own_effect.shape
        effect = self.own_effect.new_zeros(members, len(after), s)
        start = torch.randn(
            members, len(after), self._shape.width, generator=generator, dtype=torch.float32
        ).to(effect)
        effect[:, places] = self.own_effect
        start[:, places] = self.own_start
        vector = start.clone()
        vector[:, places] = self.own_vector
        self.own_effect, self.own_vector = nn.Parameter(effect), nn.Parameter(vector)
        self.own_start = start
        self.home = _homes(after, len(self.home)).to(self.home.device)

    @torch.no_grad()
    def enter(self, contexts: Tensor, first: bool) -> None:
        """Take some contexts for met; on the `first` occasion all others for unmet."""
        if first:
            self.unmet.fill_(1.0)
        self.unmet[contexts.to(self.unmet.device)] = 0.0

    @torch.no_grad()
    def rescale(self, before: PathScales, after: PathScales) -> None:
        """Change the scales of all paths without changing what is predicted."""
        own = before.own_effect / after.own_effect
        self.own_effect.mul_(own)
        self.unknown.mul_(own)
        self.effect.multiply(before.effect / after.effect)
        self.pairwise.multiply(before.pairwise / after.pairwise)
        self.outer.multiply(before.free / after.free)
        self.context_state.multiply(before.context / after.context)
        self.context_gain.multiply(before.gain / after.gain)
        self.context_pair_gain.multiply(before.pair_gain / after.pair_gain)
        self.heed.multiply(_column(before.prior, self.outer) / _column(after.prior, self.outer))

    def vectors(self, items: Items, scales: PathScales) -> ItemTable:
        """What each item adds; one more row, the last, is all 0 and stands for an empty slot."""
        effect, vector = self.gated(items, scales)
        return ItemTable(torch.cat([effect, self.inner(vector)], dim=2), self.factors(vector))

    def gated(self, items: Items, scales: PathScales) -> tuple[Tensor, Tensor]:
        """Effects (M, U + 1, s) and vectors (M, U + 1, w) of items, the last row 0.

        The dose has already acted on both; whatever else depends on an item is linear in them.
        """
        nothing = (0, 0, 0, 1)
        features = functional.pad(items.features, nothing)
        unknown = functional.pad(1 - items.known, nothing)
        home = functional.pad(self.home[items.perturbagens], (0, 1), value=self.own_effect.shape[1])
        own_effect, own_vector = (_own(each, home) for each in (self.own_effect, self.own_vector))
        effect = self.effect(features * (scales.effect * max(self._shape.rank, 1) ** -0.5))
        own_effect = torch.addcmul(own_effect, self.unknown, unknown)
        strange = unknown * (home >= self.own_effect.shape[1]).to(unknown)[:, None]
        if bool(strange.any()):
            places = functional.pad(items.perturbagens % _STRANGERS, (0, 1))
            doubt = self.stranger_start.index_select(1, places)
            own_effect = torch.addcmul(own_effect, doubt, strange)
        effect = torch.add(effect, own_effect, alpha=scales.own_effect)
        size = torch.where(unknown > 0, 1.0, OWN**0.5).to(unknown)
        vector = torch.addcmul(self.project(features), own_vector, size)
        if self._shape.doses:
            doses = functional.pad(items.doses, nothing)
            lean = functional.softplus(self.slope + 1) * doses + self.shift(vector)
            gate = 2 * torch.sigmoid(lean)
            effect, vector = (
                effect * gate[..., : effect.shape[2]],
                vector * gate[..., effect.shape[2] :],
            )
        return effect, vector

    def context_table(self, contexts: Tensor, scales: PathScales) -> ContextTable:
        """All that depends on the C contexts alone, given their columns, shape (C, c)."""
        size = max(self._shape.context_rank, 1) ** -0.5
        hidden = self.context_hidden(contexts)
        doubt = self.abroad_start * (self.unmet * scales.context)
        return ContextTable(
            self.context_state(contexts) * (scales.context * size) + doubt,
            1 + self.context_gain(contexts) * scales.gain,
            1 + self.context_pair_gain(contexts) * scales.pair_gain,
            hidden,
            self._free(hidden, scales),
        )

    def forward(
        self, vectors: ItemTable, context: ContextTable, rows: Rows, scales: PathScales
    ) -> Tensor:
        """Altered states, shape (M, N, s)."""
        k, q = rows.places.shape[1], self._shape.interaction
        summed, pairs = set_sums(vectors.plain, vectors.factors, rows.places)
        effect, inner = torch.split(summed, [self._shape.state, self._shape.width], dim=2)
        if self._shape.context_rank:
            pairs = pairs * at(context.pair_gain, rows.contexts)
        hidden = inner * k**-0.5 + at(context.hidden, rows.contexts)
        change = (
            effect * at(context.gain, rows.contexts)
            + self.pairwise(pairs) * (scales.pairwise * (2 * q) ** -0.5)
            + self._free(hidden, scales)
            - at(context.at_rest, rows.contexts)
        )
        if self._shape.prior:
            change = change + self.heed(rows.prior * rows.prior.new_tensor(scales.prior))
        empty = (rows.places == vectors.plain.shape[1] - 1).all(dim=1)
        altered: Tensor = at(context.state, rows.contexts) + change.masked_fill(
            empty[None, :, None], 0.0
        )
        return altered

    def _free(self, hidden: Tensor, scales: PathScales) -> Tensor:
        width = hidden.shape[2]
        freed: Tensor = self.outer(torch.relu(hidden)) * (scales.free * width**-0.5)
        return freed

    def anchors(self) -> list[Anchor]:
        """What holds each parameter that is in use."""
        unused = [*([] if self._shape.doses else [self.shift])]
        unused += [] if self._shape.prior else [self.heed]
        layers = [
            each.anchor
            for each in self.children()
            if isinstance(each, StackedLinear) and each not in unused
        ]
        slope = [Anchor(self.slope)] if self._shape.doses else []
        own = [Anchor(self.own_effect), Anchor(self.own_vector, self.own_start)]
        return [*layers, *own, Anchor(self.unknown), *slope]


def at(table: Tensor, contexts: Tensor) -> Tensor:
    """Rows of a table (M, C, ...) by context; a single context is left to broadcasting."""
    return table if table.shape[1] == 1 else table.index_select(1, contexts)


def _column(scales: tuple[float, ...], like: StackedLinear) -> Tensor:
    """One number for each row of a weight (M, F, s), shape (F, 1)."""
    return like.weight.new_tensor(scales)[:, None]


def _homes(seen: Tensor, perturbagens: int) -> Tensor:
    """Row of each perturbagen's own parameters, shape (P,); `len(seen)`, a row of 0, where none."""
    homes = torch.full((perturbagens,), len(seen), dtype=torch.int64)
    homes[seen] = torch.arange(len(seen))
    return homes


def _own(table: Tensor, home: Tensor) -> Tensor:
    """Rows of a table of own parameters, 0 for a home past its end."""
    last = table.shape[1] - 1
    if last < 0:
        return table.new_zeros(table.shape[0], len(home), table.shape[2])
    return table.index_select(1, home.clamp(max=last)) * (home <= last).to(table)[:, None]


def _strangers(members: int, count: int, state: int) -> Tensor:
    """What members make of what nobody has met, shape (M, count, s).

    Perturbagens with neither a UR nor a measurement (those 64 places apart share theirs), and
    contexts without one. Unit draws from the prior, since nothing else is known; they differ
    between members, which is the doubt, and cancel in the mean. They are always the same, so
    they are no part of a state.
    """
    drawn = torch.randn(members, count, state, generator=torch.Generator().manual_seed(count))
    centred: Tensor = drawn - drawn.mean(dim=0)
    return centred * math.sqrt(members / max(members - 1, 1))
