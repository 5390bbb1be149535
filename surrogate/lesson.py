"""What an ensemble learns from, as tensors on its device, whole and a minibatch at a time."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from loop.ports.arrays import BoolArray, FloatArray, TrainingSet
from surrogate.encoding import Encoder, Items, Rows
from surrogate.placement import Placement


@dataclass(frozen=True, slots=True)
class Lesson:
    """n observations, or some of them.

    Attributes:
        items: The distinct items of all rows.
        rows: n perturbations in terms of the items.
        values: Standardised readouts, shape (n, m); 0 where missing.
        weights: Weight of each value, shape (n, m); 0 where missing.
        seen: Which member may see which row, shape (M, n).
    """

    items: Items
    rows: Rows
    values: Tensor
    weights: Tensor
    seen: Tensor

    @classmethod
    def of(
        cls,
        encoder: Encoder,
        training: TrainingSet,
        standard: FloatArray,
        weights: FloatArray,
        seen: BoolArray,
        placement: Placement,
    ) -> "Lesson":
        """The lesson of a training set with values in standard units, shape (n, m)."""
        there = np.isfinite(standard)
        return cls(
            *encoder(training.combinations),
            placement.tensor(np.where(there, standard, 0.0)),
            placement.tensor(np.where(there, weights, 0.0)),
            torch.as_tensor(seen, device=placement.device),
        )

    def __len__(self) -> int:
        """The n of the shapes."""
        return len(self.values)

    def minibatch(self, rows: Tensor) -> "Lesson":
        """Some of the rows, with those items alone that occur in them."""
        part = self.rows[rows]
        distinct, places = torch.unique(part.places, return_inverse=True)
        # The place of an empty slot is past the last item, here and there.
        real = distinct[distinct < len(self.items.perturbagens)]
        items = Items(*(getattr(self.items, each.name)[real] for each in fields(Items)))
        others = (getattr(part, each.name) for each in fields(Rows) if each.name != "places")
        return Lesson(
            items, Rows(places, *others), self.values[rows], self.weights[rows], self.seen[:, rows]
        )

    def cut(self, rows: slice) -> "Lesson":
        """Some of the rows, with all items."""
        return Lesson(
            self.items, self.rows[rows], self.values[rows], self.weights[rows], self.seen[:, rows]
        )
