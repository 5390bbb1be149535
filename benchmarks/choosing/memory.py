"""How much memory a piece of work needs at its peak, beyond what was there before."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")


def peak_extra_bytes(work: Callable[[], Result]) -> tuple[Result, float]:
    """The answer, and the peak of resident memory above that at the start; NaN but on Linux."""
    clear = Path("/proc/self/clear_refs")
    if not clear.exists():
        return work(), float("nan")
    clear.write_text("5")  # forgets the peak so far
    before = _kilobytes("VmRSS")
    answer = work()
    return answer, 1024.0 * (_kilobytes("VmHWM") - before)


def _kilobytes(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
