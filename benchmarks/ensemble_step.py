"""One training step of all members at once, against a Python loop over members.

`python benchmarks/ensemble_step.py [--json] [--members M] [--wells N] [--device D] [--threads T]`.
Both sides train the same network on N pairs of 448 perturbagens with 64 UR columns, hidden layers
64 wide, every perturbagen that occurs with parameters of its own: loss, prior, gradient, clipping
and optimiser. Two references in the same process:

- `loop`: for each member a plain network of `torch.nn` layers, `clip_grad_norm_` and a fused
  `torch.optim.Adam`, as one would write it (its numbers agree with the ensemble's, which a test
  checks);
- `ones`: ensembles of one member each, which share all our savings but that of the batch.

Best of repeated steps, the sides taking turns.
"""

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from loop.ports.arrays import Combinations, Representations
from surrogate.encoding import Encoder
from surrogate.learners import Learners, Teaching
from surrogate.lesson import Lesson
from surrogate.manipulator import Shape
from surrogate.members import Members
from surrogate.optimiser import BlockAdam
from surrogate.path_scales import PathScales
from surrogate.prior_evidence import PriorEvidence
from surrogate.representation.whitening import Whitenings
from surrogate.set_kernel import OWN

PERTURBAGENS, COLUMNS, WIDTH, STATE, INTERACTION = 448, 64, 64, 32, 128
LEARNING_RATE = 0.003


def scales_of() -> PathScales:
    """Some scales; paths of prior evidence, where there are any, keep their defaults."""
    return PathScales(0.2, 0.3, 0.3, 0.1, 1.0, 1.0, 1.0, 0.8)


def lesson_of(members: int, wells: int, device: torch.device) -> tuple[Lesson, Tensor]:
    """Random pairs with random values, which every member sees; and who occurs in them."""
    rng = np.random.default_rng(0)
    doses = np.zeros((PERTURBAGENS, 1))
    known = np.ones(PERTURBAGENS, dtype=bool)
    representations = Representations(
        rng.normal(size=(PERTURBAGENS, COLUMNS)), known, np.ones((1, 1)), doses
    )
    whitenings = Whitenings.of(representations, COLUMNS)
    prior = PriorEvidence((), doses)
    encoder = Encoder(representations, whitenings.perturbagens, device, torch.float32, prior)
    pairs = np.sort([rng.choice(PERTURBAGENS, 2, replace=False) for _ in range(wells)], axis=1)
    items, rows = encoder(Combinations(pairs, np.zeros_like(pairs), np.zeros(wells, dtype=int)))
    values = torch.tensor(rng.normal(size=(wells, 1)), dtype=torch.float32, device=device)
    seen = torch.ones(members, wells, dtype=torch.bool, device=device)
    lesson = Lesson(items, rows, values, torch.ones_like(values), seen)
    return lesson, torch.as_tensor(np.unique(pairs))


def ensemble_of(members: int, lesson: Lesson, seen: Tensor, seed: int) -> Members:
    """An untrained ensemble."""
    shape = Shape(members, COLUMNS, PERTURBAGENS, 1, 0, 2, WIDTH, STATE, INTERACTION, 1, False)
    device = lesson.values.device
    generator = torch.Generator().manual_seed(seed)
    contexts = torch.zeros(1, 0)
    return Members(shape, scales_of(), contexts, seen, generator).to(device)


def batched(members: int, wells: int, seed: int, device: torch.device) -> Callable[[], None]:
    """A function that takes one step of an ensemble of its own."""
    lesson, seen = lesson_of(members, wells, device)
    network = ensemble_of(members, lesson, seen, seed)
    optimiser = BlockAdam([each.parameter for each in network.anchors()])
    learners = Learners(network, optimiser, wells, Teaching(wells)).__enter__()
    every = torch.arange(wells, device=device)
    number = 0

    def step() -> None:
        nonlocal number
        number += 1
        learners.step(lesson.minibatch(every), LEARNING_RATE, number)
        if device.type == "cuda":
            torch.cuda.synchronize()

    return step


class Plain(nn.Module):
    """One member in one context without doses, out of `torch.nn` layers, with its start kept."""

    def __init__(self, members: Members, place: int) -> None:
        """Take the weights of one member of an ensemble."""
        super().__init__()
        network, decoder = members.manipulator, members.decoder
        self.scales = members.scales
        self.effect, self.project, self.factors, self.inner, self.pairwise, self.outer = (
            _linear(each.weight[place])
            for each in (
                network.effect,
                network.project,
                network.factors,
                network.inner,
                network.pairwise,
                network.outer,
            )
        )
        self.own_effect = nn.Parameter(network.own_effect[place].detach().clone())
        self.own_vector = nn.Parameter(network.own_vector[place].detach().clone())
        self.linear, self.first, self.second = (
            _linear(each.weight[place]) for each in (decoder.linear, decoder.inner, decoder.outer)
        )
        self.bias = nn.Parameter(decoder.bias[place, 0].clone())
        self.start = [each.detach().clone() for each in self.parameters()]

    def forward(self, features: Tensor, home: Tensor, places: Tensor) -> Tensor:
        """Means of N pairs, shape (N, m); `features` and `home` of the items they consist of."""
        scales = self.scales
        effect = self.effect(features) * (scales.effect * COLUMNS**-0.5)
        effect = effect + functional.embedding(home, self.own_effect) * scales.own_effect
        vector = self.project(features) + functional.embedding(home, self.own_vector) * OWN**0.5
        left, right = self.factors(vector).chunk(2, dim=1)
        one, other = places.unbind(1)
        pairs = left[one] * right[other] + left[other] * right[one]
        inner = self.inner(vector)
        hidden = (inner[one] + inner[other]) * 2**-0.5
        state = (
            effect[one]
            + effect[other]
            + self.pairwise(pairs) * (scales.pairwise * (2 * INTERACTION) ** -0.5)
            + self.outer(torch.relu(hidden)) * (scales.free * WIDTH**-0.5)
        )
        decoded = torch.relu(self.first(state))
        predicted: Tensor = self.linear(state) + self.second(decoded) * WIDTH**-0.5 + self.bias
        return predicted


def _linear(weight: Tensor) -> nn.Linear:
    inputs, outputs = weight.shape
    layer = nn.Linear(inputs, outputs, bias=False, device=weight.device)
    with torch.no_grad():
        layer.weight.copy_(weight.T)
    return layer


def looped(members: int, wells: int, device: torch.device) -> Callable[[], None]:
    """A function that takes one step of each of some plain networks in turn."""
    lesson, seen = lesson_of(members, wells, device)
    ensemble = ensemble_of(members, lesson, seen, 0)
    networks = [Plain(ensemble, place).to(device) for place in range(members)]
    optimisers = [
        torch.optim.Adam(each.parameters(), LEARNING_RATE, fused=True) for each in networks
    ]
    home = ensemble.manipulator.home[lesson.items.perturbagens]

    def step() -> None:
        for network, optimiser in zip(networks, optimisers, strict=True):
            optimiser.zero_grad()
            predicted = network(lesson.items.features, home, lesson.rows.places)
            squared = (predicted - lesson.values).square().mean()
            pulled = sum(
                (each - start).square().sum()
                for each, start in zip(network.parameters(), network.start, strict=True)
            )
            (0.5 * squared / network.scales.noise**2 + 0.5 * pulled / wells).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
        if device.type == "cuda":
            torch.cuda.synchronize()

    return step


def timed(step: Callable[[], None]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def measure(members: int, wells: int, repeats: int, device: torch.device) -> dict[str, float]:
    """Milliseconds of all three, and ratios."""
    together = batched(members, wells, 0, device)
    loop = looped(members, wells, device)
    ones = [batched(1, wells, seed, device) for seed in range(members)]

    def one_by_one() -> None:
        for step in ones:
            step()

    sides = (together, loop, one_by_one)
    for each in sides:
        each()
    seconds = [[timed(each) for each in sides] for _ in range(repeats)]
    best = [min(side) * 1e3 for side in zip(*seconds, strict=True)]
    prefix = f"step_m{members}_n{wells}"
    return {
        f"{prefix}_batched_ms": round(best[0], 3),
        f"{prefix}_loop_ms": round(best[1], 3),
        f"{prefix}_ones_ms": round(best[2], 3),
        f"{prefix}_loop_over_batched_ratio": round(best[1] / best[0], 3),
        f"{prefix}_ones_over_batched_ratio": round(best[2] / best[0], 3),
    }


def main() -> None:
    """Time some sizes of a step, or the one asked for, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--members", type=int, help="how many members (default: 16 and 50)")
    parser.add_argument("--wells", type=int, help="rows in a step (default: 64 and 768)")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads, for all sides")
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    if asked.device.startswith("cuda") and not torch.cuda.is_available():
        print(f"skipped: no CUDA device for --device {asked.device}")
        return
    torch.set_num_threads(asked.threads)
    figures: dict[str, float] = {}
    for members in [asked.members] if asked.members else [16, 50]:
        for wells in [asked.wells] if asked.wells else [64, 768]:
            figures |= measure(members, wells, asked.repeats, torch.device(asked.device))
    if asked.json:
        print(json.dumps({"benchmark": "ensemble_step", "figures": figures}))
        return
    for name, value in figures.items():
        print(f"{name:45} {value}")


if __name__ == "__main__":
    main()
