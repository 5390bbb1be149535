"""How much each earlier screen helps to predict wells that were not learned from."""

from collections.abc import Mapping

import torch
from torch import Tensor

from surrogate.exact_process import ExactProcess


def prior_help(
    parts: Tensor,
    process: ExactProcess,
    names: tuple[str, ...],
    screens: Mapping[str, tuple[str, ...]],
) -> dict[str, float]:
    """Nats a well that each screen brings, out of fold: positive where it helps.

    The mean leave-one-out log density of the observed values (Rasmussen and Williams, 2006, eq.
    5.10) with all parts of the kernel, less that without the screen's own parts, the other
    variances kept. Each screen costs one solution, O(n^3).

    Args:
        parts: The kernel's parts between the n observations, shape (parts, n, n).
        process: The solved process.
        names: The parts' names.
        screens: Each screen's parts, by the screen's name.
    """
    whole = _log_density(process)
    found = {}
    for screen, own in screens.items():
        kept = [at for at, name in enumerate(names) if name not in own]
        logs = torch.cat([process.logs[kept], process.logs[-1:]])
        without = ExactProcess.solve(parts[kept], process.rows, process.values, process.wells, logs)
        found[screen] = whole - _log_density(without)
    return found


def _log_density(process: ExactProcess) -> float:
    precision = process.inverse.diagonal()
    squared = process.weights.square() / precision
    return float((0.5 * precision.log() - 0.5 * squared).mean())
