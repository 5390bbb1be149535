"""One retraining round on many observations, against a Python loop over members.

`python benchmarks/retraining.py [--json] [--observations N] [--members M] [--contexts C]
[--device D] [--threads T]`. N pairs of 2,000 perturbagens with 64 UR columns and one readout are
learned from scratch and then, as a campaign does every round, starting from what was learned
(half the steps). The reference is what the same training would take as a plain Python loop over
members, extrapolated from a few steps of `benchmarks/ensemble_step.py`'s plain network in the same
process; it leaves out what comes before and after the steps. On a machine that is busy otherwise,
`cpu_s`, the processor time of all threads, says more than the seconds that passed.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

import ensemble_step

from loop.ports.arrays import Combinations, FloatArray, Representations, TrainingSet
from loop.ports.engine import Compute, SurrogateProblem
from surrogate.ensemble import Ensemble

PERTURBAGENS, COLUMNS, ROWS = 2_000, 64, 1_024


def screen(observations: int, contexts: int) -> tuple[Representations, TrainingSet, FloatArray]:
    """Additive effects, an interaction of low rank, and noise; the truth comes last."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(PERTURBAGENS, COLUMNS))
    representations = Representations(
        features,
        np.ones(PERTURBAGENS, dtype=bool),
        np.eye(contexts) if contexts > 1 else np.ones((1, 1)),
        np.zeros((PERTURBAGENS, 1)),
    )
    one = rng.integers(0, PERTURBAGENS, observations)
    other = (one + rng.integers(1, PERTURBAGENS, observations)) % PERTURBAGENS
    pairs = np.sort(np.stack([one, other], axis=1), axis=1)
    where = rng.integers(0, contexts, observations)
    effects = features @ rng.normal(size=(COLUMNS, contexts)) / COLUMNS**0.5
    lean = features @ rng.normal(size=(COLUMNS, 2)) / COLUMNS**0.5
    truth = effects[one, where] + effects[other, where] + (lean[one] * lean[other]).sum(axis=1)
    training = TrainingSet(
        Combinations(pairs, np.zeros_like(pairs), where),
        (truth + rng.normal(size=observations))[:, None],
        np.ones((observations, 1), dtype=np.int64),
        np.full((observations, 1), np.nan),
        rng.integers(2**63, size=observations).astype(np.uint64),
        np.zeros(observations, dtype=bool),
    )
    return representations, training, truth


def measure(asked: argparse.Namespace) -> dict[str, float]:
    """Seconds from scratch and warm, rows a second, and the loop's seconds over ours."""
    representations, training, truth = screen(asked.observations, asked.contexts)
    compute = Compute(asked.device, threads=asked.threads)
    settings = {"members": asked.members, "precision": asked.precision, "compile": asked.compile}
    problem = SurrogateProblem(representations, 2, 1, settings, compute)
    ensemble = Ensemble(problem)
    figures: dict[str, float] = {}
    steps = {}
    for name in ("scratch", "warm"):
        shares: list[float] = []
        begun, worked = time.perf_counter(), time.process_time()
        ensemble.fit(
            training,
            np.random.default_rng(1),
            lambda share, _, shares=shares: shares.append(share),  # type: ignore[misc]
        )
        figures[f"{name}_s"] = time.perf_counter() - begun
        figures[f"{name}_cpu_s"] = time.process_time() - worked
        steps[name] = len(shares)
        rows = len(shares) * min(ROWS, asked.observations)
        figures[f"{name}_rows_per_s"] = rows / figures[f"{name}_s"]
    begun = time.perf_counter()
    belief = ensemble.believe(training.combinations)
    figures["predict_rows_per_s"] = len(belief) / (time.perf_counter() - begun)
    folded = ensemble.out_of_fold().mean[:, 0]
    figures["out_of_fold_correlation_with_truth"] = float(np.corrcoef(folded, truth)[0, 1])
    ensemble_step.PERTURBAGENS = PERTURBAGENS
    device = torch.device(asked.device)
    torch.set_num_threads(asked.threads)
    loop = ensemble_step.looped(1, min(ROWS, asked.observations), device)
    loop()
    one_step = min(ensemble_step.timed(loop) for _ in range(10)) * asked.members
    for name, count in steps.items():
        figures[f"{name}_loop_s_extrapolated"] = one_step * count
        figures[f"{name}_loop_over_ours_ratio"] = one_step * count / figures[f"{name}_s"]
    return {name: round(value, 3) for name, value in figures.items()}


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--observations", type=int, default=100_000)
    parser.add_argument("--members", type=int, default=16)
    parser.add_argument("--contexts", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="float32", help="float32, tf32 or bf16 (CUDA)")
    parser.add_argument("--compile", action="store_true", help="compile the loss (CUDA)")
    asked = parser.parse_args()
    if asked.device.startswith("cuda") and not torch.cuda.is_available():
        print(f"skipped: no CUDA device for --device {asked.device}")
        return
    figures = measure(asked)
    if asked.json:
        print(json.dumps({"benchmark": "retraining", "figures": figures}))
        return
    for name, value in figures.items():
        print(f"{name:45} {value}")


if __name__ == "__main__":
    main()
