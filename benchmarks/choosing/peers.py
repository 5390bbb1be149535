"""BayBE and Ax on a small screen, each in an environment of its own (`make bench-peers`)."""

import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from gpytorch.mlls import ExactMarginalLogLikelihood

from benchmarks.choosing.greedy import choose
from benchmarks.choosing.screen import Screen

ROOT = Path(__file__).parents[2]
BAYBE_WORKER = ROOT / "benchmarks/decisions/peers/baybe_worker.py"
AX_WORKER = Path(__file__).with_name("ax_worker.py")
_DRAWS = 512


@dataclass(frozen=True, slots=True)
class Answer:
    """What a peer chose and how long it took from its data to its choice; or why it did not.

    `rows` are rows of the screen; `refused` is empty where there is an answer.
    """

    rows: list[int]
    seconds: float
    refused: str = ""


def ours(screen: Screen, size: int) -> Answer:
    """BoTorch's default GP on the same columns, 512 joint draws, our greedy choice."""
    start = time.perf_counter()
    low, width = screen.columns.min(axis=0), np.ptp(screen.columns, axis=0)
    rows = torch.from_numpy((screen.columns - low) / width)
    values = torch.from_numpy(screen.truth[screen.measured])[:, None]
    torch.manual_seed(1)
    model = SingleTaskGP(rows[screen.measured], values)
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    with torch.no_grad():
        draws = model.posterior(rows[screen.left]).rsample(torch.Size([_DRAWS]))[..., 0]
    chosen = screen.left[choose(draws, float(values.max()), size).rows]
    return Answer(chosen.tolist(), time.perf_counter() - start)


def baybe(screen: Screen, size: int, limit: float) -> Answer:
    """BayBE's default recommender over the pairs as a list of candidates."""
    python = Path(os.environ.get("PERTLOOP_PEERS_PYTHON", ROOT / "build/peers/bin/python"))
    wells = zip(screen.measured.tolist(), screen.truth[screen.measured].tolist(), strict=True)
    asked = {"measured": [list(well) for well in wells], "size": size, "seed": 1}
    with tempfile.TemporaryDirectory() as folder:
        columns = Path(folder) / "columns.npy"
        np.save(columns, screen.columns)
        answer, seconds, refused = _ask([python, "-P", BAYBE_WORKER, columns], asked, limit)
    return Answer([] if refused else json.loads(answer)["chosen"], seconds, refused)


def ax(screen: Screen, size: int, limit: float) -> Answer:
    """Ax over two unordered choices, since it takes no list of candidates.

    A proposal that is no pair, or one that has been measured, is left out of the answer.
    """
    python = Path(os.environ.get("PERTLOOP_AX_PYTHON", ROOT / "build/ax/bin/python"))
    wells = screen.pairs[screen.measured].tolist()
    asked = {
        "perturbagens": int(screen.pairs.max()) + 1,
        "wells": wells,
        "values": screen.truth[screen.measured].tolist(),
        "size": size,
    }
    answer, seconds, refused = _ask([python, "-P", AX_WORKER], asked, limit)
    if refused:
        return Answer([], seconds, refused)
    place = {tuple(pair): row for row, pair in enumerate(screen.pairs.tolist())}
    proposed = [place.get((min(pair), max(pair)), -1) for pair in json.loads(answer)["chosen"]]
    fresh = set(proposed) & set(screen.left.tolist())
    return Answer(sorted(fresh), seconds)


def _ask(command: list[str | Path], asked: object, limit: float) -> tuple[str, float, str]:
    """One line in, one line out; the answer, seconds, and why there is none."""
    if not Path(command[0]).is_file():
        return "", 0.0, f"no environment at {command[0]}; run 'make bench-peers'"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    start = time.perf_counter()
    try:
        done = subprocess.run(
            command,
            input=json.dumps(asked) + "\n",
            capture_output=True,
            text=True,
            timeout=limit,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "", limit, f"had not chosen after {limit:.0f} s"
    seconds = time.perf_counter() - start
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return "", seconds, f"stopped with exit code {done.returncode}: {last}"
    return lines[-1], seconds, ""
