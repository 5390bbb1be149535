"""What one would write without tiles: a loop over members, or vmap over stacked ones."""

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from benchmarks.scanning.peak import seconds


class PairNetwork(nn.Module):
    """The network of evidence A3: a table, ReLU, H x H, ReLU, H to 1, for pairs."""

    def __init__(self, perturbagens: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(perturbagens, width)
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, 1)

    def forward(self, pairs: Tensor) -> Tensor:
        """One number a pair, shape (N,)."""
        hidden = self.table(pairs).sum(dim=1).relu()
        told: Tensor = self.outer(self.inner(hidden).relu())[:, 0]
        return told


def flops(members: int, width: int) -> float:
    """Of the matrix products for one pair."""
    return 2.0 * members * (width * width + width)


@torch.no_grad()
def figures(
    perturbagens: int, members: int, width: int, peak: float, device: str
) -> dict[str, float]:
    """Pairs a second of both, by the same bound, and their share of the peak."""
    torch.manual_seed(0)
    networks = [PairNetwork(perturbagens, width).to(device) for _ in range(members)]
    pairs = torch.randint(perturbagens, (32_768, 2), device=device)
    sides = {
        "naive_loop": (looped(networks), 8_192),
        "vmap": (stacked(networks), 2_048),
    }
    answer: dict[str, float] = {}
    for name, (predict, chunk) in sides.items():

        def rate(predict: Callable[[Tensor], Tensor] = predict, chunk: int = chunk) -> None:
            for start in range(0, len(pairs), chunk):
                means = predict(pairs[start : start + chunk])
                (means.mean(dim=0) + means.std(dim=0)).topk(100)

        rate()
        speed = len(pairs) / min(seconds(rate, device)[0] for _ in range(3))
        answer[f"{name}_pairs_per_cpu_second"] = speed
        answer[f"{name}_share_of_peak"] = speed * flops(members, width) / peak
    return answer


def looped(networks: list[PairNetwork]) -> Callable[[Tensor], Tensor]:
    """All members' predictions, one member after the other."""
    return lambda pairs: torch.stack([network(pairs) for network in networks])


def stacked(networks: list[PairNetwork]) -> Callable[[Tensor], Tensor]:
    """All members' predictions by vmap."""
    parameters, buffers = stack_module_state(networks)
    base = copy.deepcopy(networks[0]).to("meta")

    def one(weights: dict[str, Tensor], rest: dict[str, Tensor], pairs: Tensor) -> Tensor:
        told: Tensor = functional_call(base, (weights, rest), (pairs,))
        return told

    every = vmap(one, in_dims=(0, 0, None))
    return lambda pairs: every(parameters, buffers, pairs)
