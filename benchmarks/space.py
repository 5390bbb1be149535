"""How fast a candidate space of 1.3e12 triples is addressed, against a loop in Python.

    python -m benchmarks.space [--json]

The reference does the same arithmetic one address at a time, with binary search on Python's
integers, in the same run; it is timed on fewer addresses and scaled.
"""

import argparse
import json
import sys
import time
import tracemalloc
from bisect import bisect_right
from collections.abc import Callable
from math import comb
from typing import TypeVar

import numpy as np

from loop.ports.arrays import IntArray
from loop.space import VirtualSpace, draw

_GENES = 20_000
_ORDER = 3
_ADDRESSES = 1_000_000
_LOOPED = 10_000

Answer = TypeVar("Answer")


def figures() -> dict[str, float]:
    """Every figure, with its unit in its name."""
    seconds_build, space = _timed(lambda: VirtualSpace([1] * _GENES, 1, (_ORDER,)))
    addresses = np.random.default_rng(0).integers(0, len(space), _ADDRESSES)
    seconds_unrank, found = _timed(lambda: space.unrank(addresses))
    seconds_rank, back = _timed(lambda: space.rank(found))
    tables = [[-comb(_GENES - i, size) for i in range(_GENES + 1)] for size in range(_ORDER + 1)]
    some = addresses[:_LOOPED].tolist()
    seconds_loop, looped = _timed(lambda: _unrank_one_by_one(some, tables))
    if not np.array_equal(back, addresses) or looped != found.components[:_LOOPED].tolist():
        sys.exit("Ranking did not undo unranking, or the reference disagrees: figures withheld.")

    rng = np.random.default_rng(1)
    pairs = np.sort(rng.choice(_GENES, size=(20_000, 2)), axis=1)
    pairs = np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)
    constrained = VirtualSpace([1] * _GENES, 1, (_ORDER,), pairs.tolist())
    seconds_permitted, _ = _timed(lambda: constrained.permitted(found))
    seconds_count, _ = _timed(constrained.on_offer)
    taken = np.sort(addresses)
    seconds_draw, _ = _timed(lambda: draw(constrained, 1_000, taken, rng))

    scaled = seconds_loop * _ADDRESSES / _LOOPED
    return {
        "addresses": float(len(space)),
        "build_seconds": seconds_build,
        "unrank_1e6_seconds": seconds_unrank,
        "rank_1e6_seconds": seconds_rank,
        "unrank_addresses_per_second": _ADDRESSES / seconds_unrank,
        "unrank_peak_bytes_per_answer_byte": _peak(space, addresses),
        "reference_python_loop_1e6_seconds_scaled": scaled,
        "unrank_ratio_to_python_loop": scaled / seconds_unrank,
        "permitted_1e6_of_20000_forbidden_pairs_seconds": seconds_permitted,
        "count_on_offer_of_20000_forbidden_pairs_seconds": seconds_count,
        "draw_1000_with_1e6_taken_seconds": seconds_draw,
    }


def _timed(work: Callable[[], Answer]) -> tuple[float, Answer]:
    start = time.perf_counter()
    answer = work()
    return time.perf_counter() - start, answer


def _peak(space: VirtualSpace, addresses: IntArray) -> float:
    tracemalloc.start()
    found = space.unrank(addresses)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak / (found.components.nbytes + found.levels.nbytes + found.contexts.nbytes)


def _unrank_one_by_one(addresses: list[int], tables: list[list[int]]) -> list[list[int]]:
    """Each address by binary search over negated binomials, in Python."""
    answer = []
    for address in addresses:
        first, left, row = 0, address, []
        for size in range(_ORDER, 0, -1):
            behind = -tables[size][first] - left
            chosen = bisect_right(tables[size], -behind) - 1
            left = -tables[size][chosen] - behind
            row.append(chosen)
            first = chosen + 1
        answer.append(row)
    return answer


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    wanted = parser.parse_args()
    found = figures()
    if wanted.json:
        print(json.dumps({"benchmark": "space", "figures": found}))
        return
    for name, value in found.items():
        print(f"{name:52} {value:,.4g}")


if __name__ == "__main__":
    main()
