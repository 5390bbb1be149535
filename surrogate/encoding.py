"""Perturbations as tensors: a table of distinct items, and each row's places in it.

An item is one perturbagen at one dose level. What depends on an item alone is computed once an
item and then gathered, so the cost of a chunk of N rows is that of its U <= N k distinct items
plus N gathers.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from loop.ports.arrays import Combinations, FloatArray, IntArray, Representations
from surrogate.prior_evidence import PriorEvidence
from surrogate.representation.whitening import Whitening, known_views


@dataclass(frozen=True, slots=True)
class Items:
    """U distinct items.

    Attributes:
        features: Whitened URs, shape (U, r); zeros where unknown.
        known: 1 where the UR is known, else 0, shape (U, 1).
        perturbagens: Positions in the library, shape (U,).
        doses: Standardised log10 amounts, shape (U, 1).
        prior: What prior evidence says of each, shape (U, v); v = 0 without any.
    """

    features: Tensor
    known: Tensor
    perturbagens: Tensor
    doses: Tensor
    prior: Tensor

    def __len__(self) -> int:
        """U."""
        return len(self.perturbagens)

    def __getitem__(self, places: slice | Tensor) -> "Items":
        """Some of them."""
        return Items(
            self.features[places],
            self.known[places],
            self.perturbagens[places],
            self.doses[places],
            self.prior[places],
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """N perturbations.

    Places in the table of items, shape (N, k), U where empty; contexts (N,); columns of prior
    evidence, shape (N, F).
    """

    places: Tensor
    contexts: Tensor
    prior: Tensor

    def __getitem__(self, rows: slice | Tensor) -> "Rows":
        """Some of them."""
        return Rows(self.places[rows], self.contexts[rows], self.prior[rows])


class Encoder:
    """Turns `Combinations` into tensors on one device."""

    def __init__(
        self,
        representations: Representations,
        whitening: Whitening,
        device: torch.device,
        dtype: torch.dtype,
        prior: PriorEvidence,
    ) -> None:
        known = np.asarray(representations.known, dtype=bool)
        features = whitening(representations.perturbagens, known_views(representations))
        self._features = torch.as_tensor(features, dtype=dtype, device=device)
        self._known = torch.as_tensor(known[:, None], dtype=dtype, device=device)
        self._doses = torch.as_tensor(
            standardised_doses(representations.doses), dtype=dtype, device=device
        )
        self._prior = prior
        self._view = torch.as_tensor(prior.view, dtype=dtype, device=device)
        self._device = device

    @property
    def doses_vary(self) -> bool:
        """Whether the amount tells anything: whether any two doses in the library differ."""
        return bool((self._doses != 0).any())

    @property
    def rank(self) -> int:
        """The r of the shapes."""
        return self._features.shape[1]

    def __call__(self, combinations: Combinations) -> tuple[Items, Rows]:
        """The distinct items of some perturbations, and the perturbations in terms of them."""
        width = self._doses.shape[1]
        codes = combinations.components * width + combinations.levels
        filled = combinations.components >= 0
        distinct, places = np.unique(codes[filled], return_inverse=True)
        table = np.full(codes.shape, len(distinct), dtype=np.int64)
        table[filled] = places
        return self._items(distinct, width), Rows(
            self._positions(table),
            self._positions(combinations.contexts),
            torch.as_tensor(self._prior.columns(combinations)).to(self._features),
        )

    def items(self, items: Combinations) -> Items:
        """Items that are the only component of U perturbations, in their order."""
        distinct, rows = self(items)
        return distinct[rows.places[:, 0]]

    def _items(self, codes: IntArray, width: int) -> Items:
        perturbagens = self._positions(codes // width)
        levels = self._positions(codes % width)
        return Items(
            self._features[perturbagens],
            self._known[perturbagens],
            perturbagens,
            self._doses[perturbagens, levels][:, None],
            self._view[perturbagens],
        )

    def _positions(self, values: IntArray) -> Tensor:
        return torch.as_tensor(values, dtype=torch.int64, device=self._device)


def standardised_doses(log_amounts: FloatArray) -> FloatArray:
    """Log amounts to mean 0 and SD 1 over all levels of the library; all 0 where they agree."""
    finite = log_amounts[np.isfinite(log_amounts)]
    if not len(finite) or np.ptp(finite) == 0:
        return np.zeros_like(log_amounts)
    scaled = (log_amounts - finite.mean()) / finite.std()
    return np.where(np.isfinite(log_amounts), scaled, 0.0)
