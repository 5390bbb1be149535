"""Manipulators: (state of a context, set of perturbagens) -> altered state, all members at once.

The set enters through sums only, so the order of its components cannot matter; the empty set is
exactly the identity. Four paths add up: effects from URs, effects of a perturbagen's own, a
pairwise path (power sums, as in factorisation machines, Rendle 2010), and a free network over the
summed set (Zaheer et al., Deep Sets, 2017). Unlike in Deep Sets the first three are there
explicitly, and every path starts at zero and is scaled by what the data say of it
(`surrogate.path_scales`): a few hundred wells cannot teach a free network which path matters.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from surrogate.encoding import Items, Rows
from surrogate.path_scales import PathScales
from surrogate.set_kernel import OWN
from surrogate.stacked_linear import StackedLinear


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the networks.

    M `members`; `rank` r columns of a perturbagen's UR, `perturbagens` P of them; `contexts` C of
    `context_rank` c columns; `slots` k; `width` w of a perturbagen's vector and of hidden layers;
    `state` s columns of a state; `interaction` q columns of the pairwise path; `readouts` m;
    `doses`: whether amounts vary.
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
        self._splits = [s, q, q, q, w]
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
        self.slope = nn.Parameter(torch.zeros(m, 1, s + w))
        self.shift = StackedLinear(m, w, s + w, generator, gain=0.3)
        self.context_state = StackedLinear(m, c, s, generator, gain=0.0)
        self.context_gain = StackedLinear(m, c, s, generator)
        self.context_pair_gain = StackedLinear(m, c, q, generator)
        self.context_hidden = StackedLinear(m, c, w, generator)
        self.pairwise = StackedLinear(m, q, s, generator, gain=0.0)
        self.outer = StackedLinear(m, w, s, generator, gain=0.0)

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

    def vectors(self, items: Items, scales: PathScales) -> Tensor:
        """What each item adds to every path, shape (M, U + 1, s + 3q + w); the last row is 0."""
        home = self.home[items.perturbagens]
        own_effect, own_vector = (
            functional.pad(each, (0, 0, 0, 1)).index_select(1, home)
            for each in (self.own_effect, self.own_vector)
        )
        effect = self.effect(items.features) * (scales.effect * max(self._shape.rank, 1) ** -0.5)
        effect = effect + (own_effect + self.unknown * (1 - items.known)) * scales.own_effect
        size = torch.where(items.known > 0, OWN**0.5, 1.0).to(items.known)
        vector = self.project(items.features) + own_vector * size
        if self._shape.doses:
            lean = functional.softplus(self.slope + 1) * items.doses + self.shift(vector)
            gate = 2 * torch.sigmoid(lean)
            effect, vector = (
                effect * gate[..., : effect.shape[2]],
                vector * gate[..., effect.shape[2] :],
            )
        left, right = self.factors(vector).chunk(2, dim=2)
        whole = torch.cat([effect, left, right, left * right, self.inner(vector)], dim=2)
        return functional.pad(whole, (0, 0, 0, 1))

    def context_table(self, contexts: Tensor, scales: PathScales) -> ContextTable:
        """All that depends on the C contexts alone, given their columns, shape (C, c)."""
        size = max(self._shape.context_rank, 1) ** -0.5
        hidden = self.context_hidden(contexts)
        return ContextTable(
            self.context_state(contexts) * (scales.context * size),
            1 + self.context_gain(contexts) * scales.gain,
            1 + self.context_pair_gain(contexts) * scales.pair_gain,
            hidden,
            self._free(hidden, scales),
        )

    def forward(
        self, vectors: Tensor, context: ContextTable, rows: Rows, scales: PathScales
    ) -> Tensor:
        """Altered states, shape (M, N, s)."""
        k, q = rows.places.shape[1], self._splits[1]
        summed = vectors.index_select(1, rows.places[:, 0])
        for slot in range(1, k):
            summed = summed + vectors.index_select(1, rows.places[:, slot])
        effect, left, right, own, inner = torch.split(summed, self._splits, dim=2)
        pairs = (left * right - own) * at(context.pair_gain, rows.contexts)
        hidden = inner * k**-0.5 + at(context.hidden, rows.contexts)
        change = (
            effect * at(context.gain, rows.contexts)
            + self.pairwise(pairs) * (scales.pairwise * (2 * q) ** -0.5)
            + self._free(hidden, scales)
            - at(context.at_rest, rows.contexts)
        )
        empty = (rows.places == vectors.shape[1] - 1).all(dim=1)
        altered: Tensor = at(context.state, rows.contexts) + change.masked_fill(
            empty[None, :, None], 0.0
        )
        return altered

    def _free(self, hidden: Tensor, scales: PathScales) -> Tensor:
        width = hidden.shape[2]
        freed: Tensor = self.outer(torch.relu(hidden)) * (scales.free * width**-0.5)
        return freed

    def prior(self) -> Tensor:
        """Minus the log prior of each member, shape (M,), up to a constant."""
        layers = [each.prior() for each in self.children() if isinstance(each, StackedLinear)]
        free = [self.own_effect, self.unknown, self.own_vector - self.own_start, self.slope]
        own = [0.5 * each.flatten(1).square().sum(dim=1) for each in free]
        return torch.stack(layers + own).sum(dim=0)


def at(table: Tensor, contexts: Tensor) -> Tensor:
    """Rows of a table (M, C, ...) by context; a single context is left to broadcasting."""
    return table if table.shape[1] == 1 else table.index_select(1, contexts)


def _homes(seen: Tensor, perturbagens: int) -> Tensor:
    """Row of each perturbagen's own parameters, shape (P,); `len(seen)`, a row of 0, where none."""
    homes = torch.full((perturbagens,), len(seen), dtype=torch.int64)
    homes[seen] = torch.arange(len(seen))
    return homes
