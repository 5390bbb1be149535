"""Draws from the prior of a Gaussian process with a `SetKernel`, as sums of random features.

A draw is a fixed function: the same perturbation gets the same value in every shard, and no
matrix over candidates is formed (pathwise conditioning, Wilson et al., 2020). Items get Gaussian
projections of their URs and of a random code of their identity, doses random cosines (Rahimi and
Recht, 2007); a product of two independent features makes the pairwise part. The features are
approximate, by about 1 / sqrt(512); the data's update of a draw is exact.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.encoding import Items
from surrogate.set_kernel import OWN, Encoded

_FEATURES = 512
_CODE = 256


@dataclass(frozen=True, slots=True)
class Library:
    """Sizes: r columns of a UR, P perturbagens, whether amounts vary, and those of prior evidence.

    `view` are the columns that prior evidence has for an item, `columns` those for a perturbation.
    """

    rank: int
    perturbagens: int
    doses_vary: bool
    view: int = 0
    columns: int = 0


class PriorDraws:
    """S draws for each of m readouts, in pairs of opposite sign so that their mean is 0.

    Everything follows from the seed. `contexts` are the kernel's columns of the C contexts,
    shape (C, c); `logs` the log variances of its parts and the noise, shape (m, parts + 1).
    """

    def __init__(
        self,
        library: Library,
        contexts: Tensor,
        logs: Tensor,
        draws: int,
        seed: int,
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        rank, perturbagens = library.rank, library.perturbagens

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator).to(contexts)

        self._doses_vary = library.doses_vary
        self._columns = library.columns
        self._rank = max(rank, 1)
        self._codes = normal(perturbagens, _CODE) / math.sqrt(_CODE)
        self._likeness = normal(rank, _FEATURES)
        self._identity = normal(_CODE, _FEATURES)
        self._left, self._right = (normal(rank + _CODE, _FEATURES) for _ in range(2))
        factors = 7 if library.columns else 4
        self._frequencies = normal(factors, 1, _FEATURES)
        phases = torch.rand(factors, _FEATURES, generator=generator) * 2 * math.pi
        self._phases = phases.to(contexts)
        size = contexts.square().sum(dim=1).mean().clamp(min=1e-9).sqrt()
        self._contexts = contexts / size
        self._context_features = normal(contexts.shape[1], _FEATURES)
        self._sds = (0.5 * logs[:, :-1]).exp().to(contexts)
        parts, half = self._sds.shape[1] - library.columns, draws // 2
        self._weights = normal(len(logs), parts, _FEATURES, half) / math.sqrt(_FEATURES)
        self._views = normal(3, library.view, _FEATURES) / math.sqrt(max(library.view, 1))
        self._slopes = normal(len(logs), library.columns, half) * self._sds[:, parts:, None]

    def __call__(self, rows: Encoded) -> Tensor:
        """Values of the draws, shape (S, N, m)."""
        features = self._features(rows)
        readouts, _, _, half = self._weights.shape
        total = self._weights.new_zeros(readouts, len(rows.rows.contexts), half)
        for part, feature in enumerate(features):
            total = total + feature @ self._weights[:, part] * self._sds[:, part, None, None]
        total = total + rows.rows.prior @ self._slopes
        values = total.permute(2, 1, 0)
        return torch.cat([values, -values])

    def weights(self, readout: int, context: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """What the first S / 2 draws of a readout give features in a context; prior columns apart.

        To those of `of_items`, each (features, S / 2): to the first and the second, summed over a
        set, and to the sum over its pairs {i, j} of third_i * fourth_j + fourth_i * third_j; then
        a constant, (S / 2,).
        """
        weights = self._weights[readout] * self._sds[readout, : self._weights.shape[1], None, None]
        single, own, pair = weights[:3]
        constant = torch.zeros_like(single[0])
        if len(self._contexts) > 1:
            here = self._contexts[context] @ self._context_features
            single, own, pair = weights[:3] + weights[3:6] * here[:, None]
            constant = here @ weights[6]
        return single, own, pair * 0.5**0.5, constant

    @property
    def doses_vary(self) -> bool:
        """Whether the amount of an item tells anything."""
        return self._doses_vary

    def plain(self, items: Items) -> Tensor:
        """What the features that meet in pairs are linear in, where doses tell nothing.

        Shape (U, r + 256): first the UR, so that the product of two is the kernel's likeness.
        """
        codes = self._codes[items.perturbagens]
        likeness = items.features / math.sqrt(self._rank)
        own = torch.where(items.known > 0, OWN**0.5, 1.0).to(codes)
        return torch.cat([likeness, codes * own], dim=1)

    def forms(self, weights: Tensor) -> Tensor:
        """Pairs by weights of their features, (features, F), as forms of two of `plain`.

        Shape (r + 256, F, r + 256), symmetric in the first and the last.
        """
        whole = weights.new_empty(len(self._left), weights.shape[1], len(self._left))
        for function, weight in enumerate(weights.T):
            crossed = (self._left * weight) @ self._right.T
            torch.add(crossed, crossed.T, out=whole[:, function])
        return whole

    def _features(self, rows: Encoded) -> list[Tensor]:
        """One matrix (N, features) for each part of the kernel, in its order, columns left out."""
        places = rows.rows.places
        table = [torch.nn.functional.pad(each, (0, 0, 0, 1)) for each in self.of_items(rows.items)]
        sums = [each[places].sum(dim=1) for each in table]
        own = (table[2][places] * table[3][places]).sum(dim=1)
        parts = [sums[0], sums[1], (sums[2] * sums[3] - own) * 0.5**0.5]
        if len(self._contexts) > 1:
            context = (self._contexts @ self._context_features)[rows.rows.contexts]
            parts += [each * context for each in parts] + [context]
        if self._columns:
            own = (table[5][places] * table[6][places]).sum(dim=1)
            parts += [sums[4], (sums[5] * sums[6] - own) * 0.5**0.5]
        return parts

    def of_items(self, items: Items, some: slice = slice(None)) -> list[Tensor]:
        """Random features of items for the factors, or for `some` of them, each (U, features)."""
        codes, both = self._codes[items.perturbagens], self.plain(items)
        sides = [
            (items.features / math.sqrt(self._rank), self._likeness),
            (codes, self._identity),
            (both, self._left),
            (both, self._right),
        ]
        if self._columns:
            sides += [(items.prior, view) for view in self._views]
        plain = [one @ other for one, other in sides[some]]
        if not self._doses_vary:
            return plain
        frequencies, phases = self._frequencies[some], self._phases[some, None]
        waves = torch.cos(items.doses * frequencies + phases) * 2**0.5
        return [each * wave for each, wave in zip(plain, waves, strict=True)]
