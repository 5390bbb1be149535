"""One training step of all members at once, against a Python loop over members.

`python benchmarks/ensemble_step.py [--json] [--members M] [--wells N] [--device D]`. Both sides
hold the same members and do the same arithmetic (loss, gradient, clipping, optimiser step) on N
pairs of 448 perturbagens with 64 UR columns, in one process, on one thread; the loop trains
ensembles of one member each. Medians over repeated steps, the two sides taking turns.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from loop.ports.arrays import Combinations, Representations
from surrogate.encoding import Encoder
from surrogate.manipulator import Shape
from surrogate.members import Members
from surrogate.optimiser import BlockAdam
from surrogate.path_scales import PathScales
from surrogate.training import Lesson, clip_each_member, loss
from surrogate.whitening import Whitenings

PERTURBAGENS, COLUMNS = 448, 64
SCALES = PathScales(0.2, 0.3, 0.3, 0.1, 1.0, 1.0, 1.0, 0.8)
LEARNING_RATE = 0.003


def lesson_of(members: int, wells: int, device: torch.device) -> tuple[Lesson, torch.Tensor]:
    """Random pairs with random values, which every member sees; and the contexts' columns."""
    rng = np.random.default_rng(0)
    known = np.ones(PERTURBAGENS, dtype=bool)
    representations = Representations(
        rng.normal(size=(PERTURBAGENS, COLUMNS)),
        known,
        np.ones((1, 1)),
        np.zeros((PERTURBAGENS, 1)),
    )
    whitenings = Whitenings.of(representations, COLUMNS)
    encoder = Encoder(representations, whitenings.perturbagens, device, torch.float32)
    pairs = np.sort([rng.choice(PERTURBAGENS, 2, replace=False) for _ in range(wells)], axis=1)
    items, rows = encoder(Combinations(pairs, np.zeros_like(pairs), np.zeros(wells, dtype=int)))
    values = torch.tensor(rng.normal(size=(wells, 1)), dtype=torch.float32, device=device)
    weights = torch.ones(members, wells, 1, device=device)
    return Lesson(items, rows, values, weights), torch.zeros(1, 0, device=device)


def stepper(members: int, wells: int, seed: int, device: torch.device) -> Callable[[], None]:
    """A function that takes one training step of an ensemble of its own."""
    lesson, contexts = lesson_of(members, wells, device)
    shape = Shape(members, COLUMNS, PERTURBAGENS, 1, 0, 2, 64, 32, 128, 1, False)
    generator = torch.Generator().manual_seed(seed)
    network = Members(shape, SCALES, contexts, torch.arange(PERTURBAGENS), generator).to(device)
    parameters = [each for each in network.parameters() if each.numel()]
    optimiser = BlockAdam(parameters)
    rows = torch.arange(wells, device=device)

    def step() -> None:
        network.zero_grad()
        torch.autograd.backward(loss(network, lesson, rows))
        clip_each_member(parameters)
        optimiser.step(LEARNING_RATE)
        if device.type == "cuda":
            torch.cuda.synchronize()

    return step


def timed(step: Callable[[], None]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def measure(members: int, wells: int, repeats: int, device: torch.device) -> dict[str, float]:
    """Median milliseconds of both sides, and their ratio."""
    together = stepper(members, wells, 0, device)
    alone = [stepper(1, wells, seed, device) for seed in range(members)]

    def one_by_one() -> None:
        for step in alone:
            step()

    together()
    one_by_one()
    seconds = [(timed(together), timed(one_by_one)) for _ in range(repeats)]
    batched, looped = (statistics.median(side) * 1e3 for side in zip(*seconds, strict=True))
    prefix = f"step_m{members}_n{wells}"
    return {
        f"{prefix}_batched_ms": round(batched, 3),
        f"{prefix}_loop_ms": round(looped, 3),
        f"{prefix}_loop_over_batched_ratio": round(looped / batched, 3),
    }


def main() -> None:
    """Time two sizes of a step, or the one asked for, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--members", type=int, help="how many members (default: 16 and 50)")
    parser.add_argument("--wells", type=int, help="rows in a step (default: 64 and 768)")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    torch.set_num_threads(1)
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
