"""`pertloop propose`, end to end: from the command to a batch in the database.

`python benchmarks/propose.py [--json] [--perturbagens P] [--size Q] [--rounds N]`. A campaign over
all pairs of P perturbagens runs N rounds of 128 in the simulated lab, in a home of its own that is
removed afterwards. Then a batch is proposed several times, and rejected each time: in this process
(warm, as a service does it: reading the database, restoring the surrogate, scanning, choosing,
writing) and once in a process of its own, as a person types it (cold: Python and torch are loaded
first). The reference, timed in the same run, is a numpy product of two matrices of 2,048 rows.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from loop.demo import run_demo
from loop.propose import propose_batch
from loop.provided import Services
from loop.review import reject
from loop.services import build
from loop.settings import Settings

_TIMES = 5
_ROUND = 128


def seconds_of(action: Callable[[], object]) -> float:
    """How long something takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def propose_and_reject(services: Services, name: str, size: int) -> float:
    """Time one proposal in this process, and turn it down."""
    start = time.perf_counter()
    batch = propose_batch(services, name, size)
    seconds = time.perf_counter() - start
    reject(services, batch.id, "a benchmark")
    return seconds


def propose_from_the_shell(home: Path, name: str, size: int) -> float:
    """Time the command in a process of its own; the batch stays open."""
    pertloop = Path(sys.executable).parent / "pertloop"
    command = [pertloop, "propose", name, "--size", str(size), "--json"]
    environment = {**os.environ, "PERTLOOP_HOME": str(home)}
    start = time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.perf_counter() - start


def reference_seconds() -> float:
    """The product that everything is compared with."""
    numbers = np.random.default_rng(0).normal(size=(2_048, 2_048)).astype(np.float32)
    return min(seconds_of(lambda: numbers @ numbers) for _ in range(5))


def measure(asked: argparse.Namespace) -> dict[str, float]:
    """Run the campaign, then propose again and again."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        services = build(Settings(home=home), origin="benchmark")
        made = run_demo(services, asked.rounds, asked.perturbagens, _ROUND)
        warm = [propose_and_reject(services, made.campaign, asked.size) for _ in range(_TIMES)]
        cold = propose_from_the_shell(home, made.campaign, asked.size)
    reference = reference_seconds()
    seconds = warm[1:]
    return {
        "candidates": made.candidates,
        "observations": made.rounds[-1].wells,
        "batch_size": asked.size,
        "warm_propose_median_s": median(seconds),
        "warm_propose_least_s": min(seconds),
        "warm_propose_most_s": max(seconds),
        "cold_command_s": cold,
        "reference_product_s": reference,
        "warm_propose_over_reference_ratio": median(seconds) / reference,
    }


def main() -> None:
    """Run, and print one JSON document or a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--perturbagens", type=int, default=449)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=6)
    asked = parser.parse_args()
    figures = measure(asked)
    if asked.json:
        print(json.dumps({"benchmark": "propose", "figures": figures}))
        return
    for name, value in figures.items():
        print(f"{name:40} {value:12.6g}")


if __name__ == "__main__":
    main()
