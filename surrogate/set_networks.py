"""Small networks that turn perturbations into features, several at once.

An item (whitened UR, dose, an own embedding) passes one layer; a set has the sum of its items'
outputs and the sum of products over its pairs, so order does not matter and the empty set has
zeros. Where there are several contexts the sum is there once more, scaled by the context.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogate.encoding import Items, Rows

_DECAY = 0.05
_RATE = 0.01
_EMBEDDING = 0.1


@dataclass(frozen=True, slots=True)
class SetNetworks:
    """F networks with H outputs each.

    Attributes:
        items: Weights on an item's columns, shape (F, r + 1, H).
        own: Embeddings of perturbagens, shape (F, P, H).
        contexts: Weights on a context's columns, shape (F, c, H).
    """

    items: Tensor
    own: Tensor
    contexts: Tensor

    @classmethod
    def begun(
        cls, sizes: tuple[int, int, int, int, int], generator: torch.Generator
    ) -> "SetNetworks":
        """Networks drawn at random; sizes F, r, P, c, H."""
        count, rank, perturbagens, contexts, width = sizes

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator)

        return cls(
            normal(count, rank + 1, width) / (rank + 1) ** 0.5,
            _EMBEDDING * normal(count, perturbagens, width),
            normal(count, contexts, width) / max(contexts, 1) ** 0.5,
        )

    def __call__(self, items: Items, rows: Rows, contexts: Tensor) -> Tensor:
        """Features of N rows, shape (F, N, 3 H); `contexts` are columns of the C, (C, c)."""
        columns = torch.cat([items.features, items.doses], dim=1)
        single = torch.tanh(columns @ self.items + self.own[:, items.perturbagens])
        table = torch.nn.functional.pad(single, (0, 0, 0, 1))
        held = table[:, rows.places]
        total = held.sum(dim=2)
        pairs = 0.5 * (total.square() - held.square().sum(dim=2))
        scale = contexts[rows.contexts] @ self.contexts
        return torch.cat([total, pairs, total * scale], dim=2)

    def trained(
        self,
        inputs: tuple[Items, Rows, Tensor],
        values: Tensor,
        weights: Tensor,
        steps: int,
    ) -> "SetNetworks":
        """Fit to `values` (n, m) through a linear head, by `steps` of AdamW.

        `weights`, shape (F, n, m), are 0 where a network may not look.
        """
        parameters = [each.clone().requires_grad_() for each in (self.items, self.own)]
        parameters.append(self.contexts.clone().requires_grad_())
        width = 3 * self.items.shape[2]
        head = torch.zeros(len(self.items), width, values.shape[1], requires_grad=True)
        level = torch.zeros(len(self.items), 1, values.shape[1], requires_grad=True)
        learner = torch.optim.AdamW([*parameters, head, level], lr=_RATE, weight_decay=_DECAY)
        count = weights.sum(dim=(1, 2)).clamp(min=1.0)
        with torch.enable_grad():
            for _ in range(steps):
                learner.zero_grad()
                said = SetNetworks(*parameters)(*inputs) @ head + level
                loss = ((said - values).square() * weights).sum(dim=(1, 2)) / count
                torch.autograd.backward(loss.sum())
                learner.step()
        return SetNetworks(*(each.detach() for each in parameters))
