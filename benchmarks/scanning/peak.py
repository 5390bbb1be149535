"""How fast this machine multiplies matrices, and clocks that a busy machine disturbs little."""

import time
from collections.abc import Callable

import torch

_SIDES = (256, 512, 1_024, 2_048)


def gemm_peak(dtype: torch.dtype, device: str) -> float:
    """FLOP/s of the best of several square products; on a CPU by one thread."""
    sides = _SIDES if device == "cpu" else (4_096, 8_192)
    return max(_rate(side, dtype, device) for side in sides)


def _rate(side: int, dtype: torch.dtype, device: str) -> float:
    one, other = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    out = torch.empty(side, side, device=device, dtype=dtype)

    def multiply() -> None:
        torch.mm(one, other, out=out)

    repeats = max(4, int(4e9 / side**3)) if device == "cpu" else 10
    return 2 * side**3 / min(seconds(multiply, device)[0] for _ in range(repeats))


def seconds(work: Callable[[], object], device: str = "cpu") -> tuple[float, float]:
    """Seconds of processor time, and seconds that passed; on a GPU both are the latter."""
    if device != "cpu":
        torch.cuda.synchronize()
    passed, spent = time.perf_counter(), time.process_time()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    spent, passed = time.process_time() - spent, time.perf_counter() - passed
    return (spent if device == "cpu" else passed), passed
