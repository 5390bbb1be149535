"""How fast and in how much memory spaces are scanned, against the machine's own limit.

`python benchmarks/scan.py [--json] [--device D] [--share S] [--only PART ...]`. An ensemble of 16
members, hidden layers 128 wide, rates by mean + SD:

- pairs of 1,500 perturbagens, triples of 200, and pairs of 500 at 3 doses, through the product's
  own path (`acquisition.scanning.sweep`): candidates per second of processor time, and what share
  of the best matrix product in the same process their matrix products make; by one thread and by
  two, in float32 and bf16. A share S of the blocks is rated, in eight stretches spread evenly.
- the same ensemble asked row by row (`member_means`), and the small networks of `evidence.md` A3,
  in a loop over members and by vmap;
- whole scans of 100,576 pairs, all that a proposal needs of it included;
- only if asked for (`--only cascade`; see also `benchmarks/cascade.py`): 10^8 pairs as a proposal
  scans them, by a cascade: seconds, audited recall, memory;
- memory of full sweeps from 10^5 to 10^9 pairs, each for some seconds in a process of its own: what
  is swept then is a share of the space, and is said.

Rates are per second of processor time unless their names say otherwise, so that other work on the
machine disturbs them little.
"""

import argparse
import json
from collections.abc import Callable

import torch

from acquisition.scanning.found import Found, merge
from acquisition.scanning.sweep import Sweep
from benchmarks.scanning import memory, peers
from benchmarks.scanning.peak import gemm_peak, seconds
from benchmarks.scanning.screens import MEMBERS, WIDTH, Ready, Screen

_DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16}
_STRETCHES = 8
_SCREENS = {"pairs": (1_500, 2, 1), "triples": (200, 3, 1), "doses": (500, 2, 3)}


def peaks(device: str) -> dict[str, float]:
    """GFLOP/s of matrix products."""
    return {
        f"gemm_{name}_gflops": gemm_peak(dtype, device) / 1e9 for name, dtype in _DTYPES.items()
    }


def rates(device: str, share: float) -> dict[str, float]:
    """Candidates a second, and shares of the peak of the moment."""
    answer: dict[str, float] = {}
    for name, (perturbagens, order, levels) in _SCREENS.items():
        ready = Ready(Screen(perturbagens, order, levels, device))
        answer[f"{name}_candidates"] = float(len(ready.space))
        for precision in _DTYPES:
            answer |= _rates(ready, f"{name}_{precision}", precision, share)
    return answer


def _rates(ready: Ready, name: str, precision: str, share: float) -> dict[str, float]:
    device, tiling = ready.screen.device, ready.tiling(precision)
    one = ready.sweep(tiling, 1)
    one.over(range(1))
    found: list[Found] = []
    before = gemm_peak(_DTYPES[precision], device)
    spent, _ = seconds(lambda: found.append(_stretches(one, share)), device)
    peak = max(before, gemm_peak(_DTYPES[precision], device))
    speed = found[0].rated / spent
    answer = {
        f"{name}_per_cpu_second": speed,
        f"{name}_share_of_peak": speed * tiling.tiler.flops_per_candidate / peak,
    }
    if device == "cpu":
        two = ready.sweep(tiling, 2)
        spent, passed = seconds(lambda: _stretches(two, share))
        answer[f"{name}_two_threads_per_cpu_second"] = found[0].rated / spent
        answer[f"{name}_two_threads_per_second_passed"] = found[0].rated / passed
    return answer


def _stretches(sweep: Sweep, share: float) -> Found:
    """What stretches spread evenly over the blocks hold."""
    total = len(sweep.blocks)
    parts = []
    for at in range(_STRETCHES):
        start, end = at * total // _STRETCHES, (at + 1) * total // _STRETCHES
        parts.append(sweep.over(range(start, start + round((end - start) * share))))
    return merge(parts, sweep.keeping)


def against(device: str) -> dict[str, float]:
    """The same work by rows, and what one would write without tiles."""
    ready = Ready(Screen(1_500, device=device))
    rows = ready.pairs(32_768)
    ready.ensemble.member_means(rows[:8_192])

    def by_rows() -> None:
        for start in range(0, len(rows), 8_192):
            means = ready.ensemble.member_means(rows[slice(start, start + 8_192)])[..., 0]
            (means.mean(dim=0) + means.std(dim=0)).topk(100)

    spent = min(seconds(by_rows, device)[0] for _ in range(3))
    peak = gemm_peak(torch.float32, device)
    answer = {"member_means_per_cpu_second": len(rows) / spent}
    return answer | peers.figures(1_500, MEMBERS, WIDTH, peak, device)


def whole(device: str) -> dict[str, float]:
    """Seconds that pass in whole scans of a genome-wide screen's size, for a pool of 5,000."""
    ready = Ready(Screen(449, device=device))
    answer: dict[str, float] = {}
    sides: dict[str, Callable[[], object]] = {
        "1_thread": lambda: ready.scan(1),
        "2_threads": lambda: ready.scan(2),
        "by_rows": lambda: ready.scan(2, tiles=False),
    }
    for name, scan in sides.items():
        spent, passed = map(min, zip(*(seconds(scan, device) for _ in range(2)), strict=True))
        answer[f"scan_100576_pairs_{name}_cpu_seconds"] = spent
        answer[f"scan_100576_pairs_{name}_seconds_passed"] = passed
    return answer


def main() -> None:
    """Run, and print one JSON document or a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--share", type=float, default=0.25, help="of the blocks to rate")
    parts = ("peaks", "rates", "against", "whole", "cascade", "memory")
    usual = [part for part in parts if part != "cascade"]
    parser.add_argument("--only", nargs="+", choices=parts, default=usual)
    asked = parser.parse_args()
    if asked.device.startswith("cuda") and not torch.cuda.is_available():
        print(f"skipped: no CUDA device for --device {asked.device}")
        return
    torch.set_num_threads(1)
    measures: dict[str, Callable[[], dict[str, float]]] = {
        "peaks": lambda: peaks(asked.device),
        "rates": lambda: rates(asked.device, asked.share),
        "against": lambda: against(asked.device),
        "whole": lambda: whole(asked.device),
        "cascade": memory.cascades,
        "memory": memory.figures,
    }
    figures: dict[str, float] = {}
    for part in asked.only:
        figures |= measures[part]()
    if asked.json:
        print(json.dumps({"benchmark": "scan", "figures": figures}))
        return
    for name, value in figures.items():
        print(f"{name:55} {value:14.6g}")


if __name__ == "__main__":
    main()
