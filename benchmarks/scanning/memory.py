"""How much memory a scan takes beside the surrogate, measured in a process of its own."""

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

import torch

from benchmarks.scanning.screens import Ready, Screen

_SECONDS = 6.0


class _Enough(Exception):  # noqa: N818
    """The part that is scanned for its memory is done."""


def figures() -> dict[str, float]:
    """MiB that a scan of 10^5 to 10^9 pairs adds at its peak, and the share that was scanned."""
    answer: dict[str, float] = {}
    for power, perturbagens in ((5, 449), (6, 1_415), (7, 4_473), (8, 14_143), (9, 44_722)):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.scanning.memory", str(perturbagens)],
            check=True,
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        told = json.loads(done.stdout.splitlines()[-1])
        answer |= {f"memory_1e{power}_pairs_{name}": value for name, value in told.items()}
    return answer


def measure(perturbagens: int) -> dict[str, float]:
    """Scan for some seconds; memory does not hang on how long, once the lists are full."""
    torch.set_num_threads(1)
    ready = Ready(Screen(perturbagens))
    before = resident()
    forget_peak()
    tiling = ready.tiling("float32")
    tables = resident()
    started, shares = time.perf_counter(), [0.0]

    def enough(share: float, doing: str) -> None:
        shares.append(share)
        if time.perf_counter() - started > _SECONDS:
            raise _Enough

    with contextlib.suppress(_Enough):
        ready.sweep(tiling, 2).over(progress=enough)
    return {
        "extra_peak_mib": (resident("VmHWM") - before) / 2**20,
        "of_which_tables_mib": (tables - before) / 2**20,
        "share_scanned": shares[-1],
    }


def resident(what: str = "VmRSS") -> int:
    """Bytes of memory of this process, now (VmRSS) or at most (VmHWM)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) * 1024
    msg = f"this system does not tell {what}"
    raise RuntimeError(msg)


def forget_peak() -> None:
    """Let the most be what it is now."""
    Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
