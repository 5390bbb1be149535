"""What scans take, memory included, measured in processes of their own."""

import contextlib
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import torch

from acquisition.scanning.pool import Pool
from benchmarks.scanning.peak import seconds
from benchmarks.scanning.screens import Ready, Screen

_SECONDS = 6.0


class _Enough(Exception):  # noqa: N818
    """The part that is scanned for its memory is done."""


_LIMIT = 20_000_000
"""Addresses that are rated whole; the default of the setting `scan_limit`."""
_RECALL = re.compile(r"recall ([0-9.]+) \(at least ([0-9.]+)\)")


def figures() -> dict[str, float]:
    """MiB that a sweep over 10^5 to 10^9 pairs adds at its peak, and the share that was swept."""
    answer: dict[str, float] = {}
    for power, perturbagens in ((5, 449), (6, 1_415), (7, 4_473), (8, 14_143), (9, 44_722)):
        told = _elsewhere("sweep", perturbagens)
        answer |= {f"memory_1e{power}_pairs_{name}": value for name, value in told.items()}
    return answer


def cascades() -> dict[str, float]:
    """Seconds, audited recall and memory of proposals' scans of 10^8 pairs, end to end."""
    told = _elsewhere("cascade", 14_143)
    return {f"cascade_1e8_pairs_{name}": value for name, value in told.items()}


def _elsewhere(what: str, perturbagens: int) -> dict[str, float]:
    """Measure in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scanning.memory", what, str(perturbagens)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def swept(perturbagens: int) -> dict[str, float]:
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


def narrowed(perturbagens: int) -> dict[str, float]:
    """A scan as a proposal makes it, on two threads."""
    torch.set_num_threads(2)
    ready = Ready(Screen(perturbagens))
    ready.ensemble.member_means(ready.pairs(8_192))
    before = resident()
    forget_peak()
    pools: list[Pool] = []
    spent, passed = seconds(lambda: pools.append(ready.scan(2, limit=_LIMIT)))
    answer = {
        "cpu_seconds": spent,
        "seconds_passed": passed,
        "extra_peak_mib": (resident("VmHWM") - before) / 2**20,
        "scanned": float(pools[0].scanned),
    }
    told = _RECALL.search(" ".join(pools[0].notes))
    if told is not None:
        answer |= {"audited_recall": float(told[1]), "recall_at_least": float(told[2])}
    return answer


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
    print(json.dumps({"sweep": swept, "cascade": narrowed}[sys.argv[1]](int(sys.argv[2]))))
