"""Similarity of two perturbations, as a sum of parts whose variances are learned.

Of two sets A and B of items, with g(i, j) the similarity of two items:

- additive parts: the sum of g over i in A and j in B, once with g from URs and once from identity;
- pairwise part: the sum over pairs {i, i'} of A and {j, j'} of B of
  g(i, j) g(i', j') + g(i, j') g(i', j), for sets of any size by power sums. It is what remains of a
  polynomial kernel of degree two when an item is never paired with itself;
- where there are several contexts: each part again, times the similarity of the contexts, and
  that similarity alone;
- where there is prior evidence: for each of its columns the product of both values, and an
  additive and a pairwise part with g from its view of the items.

Items at different doses are less alike by exp(-(difference)^2 / 2), in SDs of log10 amount.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.encoding import Items, Rows
from surrogate.prior_evidence import VIEW_PARTS

OWN = 0.1
"""How much identity counts in the pairwise part, beside a known UR's own likeness of about 1."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Some perturbations: their distinct items, and the rows in terms of them."""

    items: Items
    rows: Rows


class SetKernel:
    """The parts of the similarity of perturbations.

    `contexts` are the columns of the C contexts, shape (C, c), float64; `prior` names the columns
    of prior evidence.
    """

    def __init__(self, contexts: Tensor, prior: tuple[str, ...] = ()) -> None:
        similar = contexts @ contexts.T
        size = similar.diagonal().mean().clamp(min=1e-9)
        self._contexts = similar / size
        self._several = len(contexts) > 1
        self._prior = prior

    @property
    def names(self) -> tuple[str, ...]:
        """The parts, in the order of `between`."""
        parts = ("additive UR", "additive identity", "pairwise")
        by_context = (*(f"{each} by context" for each in parts), "context")
        by_prior = (*VIEW_PARTS, *self._prior)
        return parts + (by_context if self._several else ()) + (by_prior if self._prior else ())

    def between(self, left: Encoded, right: Encoded) -> Tensor:
        """Every part between N and n perturbations, shape (parts, N, n), in O(N n k)."""
        like, same, mixed = grams(left.items, right.items)
        places = left.rows.places, right.rows.places
        parts = [_sums(like, *places), _sums(same, *places), _pairs(_edged(mixed), *places)]
        if self._several:
            alike = self._contexts[left.rows.contexts][:, right.rows.contexts]
            parts += [each * alike for each in parts] + [alike]
        if self._prior:
            seen = left.items.prior @ right.items.prior.T / left.items.prior.shape[1]
            seen = seen * _near(left.items, right.items)
            parts += [_sums(seen, *places), _pairs(_edged(seen), *places)]
            parts += list(left.rows.prior.T[:, :, None] * right.rows.prior.T[:, None, :])
        return torch.stack(parts)

    def counted(self, variances: Tensor, context: int, contexts: Tensor) -> Tensor:
        """How much n rows count for a perturbation in some context, shape (4, n).

        By URs, by identity, in pairs, and for being in their contexts; prior evidence apart.
        `variances` are those of all parts, `contexts` (n,) where the rows are.
        """
        plain = variances[:3, None].expand(3, len(contexts))
        if not self._several:
            return torch.cat([plain, plain.new_zeros(1, len(contexts))])
        alike = self._contexts[context].to(plain)[contexts]
        return torch.cat([plain + variances[3:6, None] * alike, variances[6] * alike[None]])

    def own(self, rows: Encoded) -> Tensor:
        """Every part of each of N perturbations with itself, shape (parts, N)."""
        like, same, mixed = (_edged(each) for each in grams(rows.items, rows.items))
        places = rows.rows.places
        crossed = places[:, :, None], places[:, None, :]
        parts = [
            like[crossed].sum(dim=(1, 2)),
            same[crossed].sum(dim=(1, 2)),
            _own_pairs(mixed[crossed]),
        ]
        if self._several:
            alike = self._contexts.diagonal()[rows.rows.contexts]
            parts += [each * alike for each in parts] + [alike]
        if self._prior:
            seen = rows.items.prior @ rows.items.prior.T / rows.items.prior.shape[1]
            seen = _edged(seen * _near(rows.items, rows.items))[crossed]
            parts += [seen.sum(dim=(1, 2)), _own_pairs(seen), *rows.rows.prior.T.square()]
        return torch.stack(parts)


def grams(left: Items, right: Items) -> tuple[Tensor, Tensor, Tensor]:
    """Similarity of items by UR, by identity, and in pairs, each (U, U'), dose included."""
    near = _near(left, right)
    like = left.features @ right.features.T / max(left.features.shape[1], 1)
    same = (left.perturbagens[:, None] == right.perturbagens[None, :]).to(like)
    like, same = like * near, same * near
    return like, same, like + _own(left, right) * same


def _near(left: Items, right: Items) -> Tensor:
    """How alike two items are by their doses, shape (U, U')."""
    return torch.exp(-0.5 * (left.doses - right.doses.T).square())


def _own_pairs(mixed: Tensor) -> Tensor:
    """The pairwise part of sets with themselves, (N,), from g between their items, (N, k, k)."""
    total = mixed.sum(dim=(1, 2)).square() + mixed.square().sum(dim=(1, 2))
    lines = mixed.sum(dim=1).square().sum(dim=1) + mixed.sum(dim=2).square().sum(dim=1)
    return 0.5 * (total - lines)


def _own(left: Items, right: Items) -> Tensor:
    """How much identity counts in the pairwise part: alone where the UR is unknown."""
    return torch.where((left.known * right.known.T) > 0, OWN, 1.0).to(left.features)


def _edged(gram: Tensor) -> Tensor:
    """With a row and a column of zeros for empty slots."""
    return torch.nn.functional.pad(gram, (0, 1, 0, 1))


def _sums(gram: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """The sum of g over both sets, shape (N, n)."""
    edged = _edged(gram)
    return _gathered(_gathered(edged.T, right).T, left)


def _pairs(edged: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """The pairwise part by power sums, shape (N, n)."""
    over_right = _gathered(edged.T, right).T
    over_left = _gathered(edged, left)
    total = torch.zeros(len(left), len(right)).to(edged)
    squares = torch.zeros_like(total)
    for slot in range(left.shape[1]):
        line = over_right[left[:, slot]]
        total += line
        squares -= line.square()
    for slot in range(right.shape[1]):
        squares -= over_left[:, right[:, slot]].square()
    singles = _gathered(_gathered(edged.square().T, right).T, left)
    return 0.5 * (total.square() + squares + singles)


def _gathered(table: Tensor, places: Tensor) -> Tensor:
    """The sum over slots of rows of `table`, shape (len(places), columns)."""
    total = table[places[:, 0]].clone()
    for slot in range(1, places.shape[1]):
        total += table[places[:, slot]]
    return total
