"""Choosing a batch jointly: ours, lazy and plain, against BoTorch, BayBE and Ax.

`python benchmarks/batch.py [--json] [--candidates N] [--draws S] [--size Q] [--peer-seconds T]`.
One process, one thread. Ours and BoTorch choose by expected improvement over the same table of
joint draws, so that nothing but the choosing is timed; BoTorch at sizes that finish, then drawn on
to the full size with the growth that was measured. BayBE and Ax (`make bench-peers`) choose from
all pairs of 46 perturbagens after 64 wells, fitting included, against BoTorch's default GP with our
choice; one that is absent or late is told as such.
"""

import argparse
import json
import math
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.choosing import botorch_discrete, greedy, peers
from benchmarks.choosing.memory import peak_extra_bytes
from benchmarks.choosing.screen import Screen, small_screen

_POOL = 5_000
_PLAIN_PICKS = 2
_SMALL = 2_000
_SIZES = (4, 8, 16)
_PEER_SIZE = 8

Figures = dict[str, float | str]


def draws_of(members: int, candidates: int) -> tuple[Tensor, float]:
    """Draws with a few shared directions, as an ensemble's are, float32; and the best so far."""
    generator = torch.Generator().manual_seed(1)
    shared = torch.randn(members, 24, generator=generator)
    loadings = torch.randn(24, candidates, generator=generator)
    mean = 0.7 * torch.randn(candidates, generator=generator)
    draws = mean + 0.1 * shared @ loadings
    return draws, float(mean.quantile(0.999) if candidates > 1_000 else mean.max())


def whole(candidates: int, members: int, size: int) -> Figures:
    """The exact joint choice among all candidates, and the one in two stages."""
    draws, best = draws_of(members, candidates)
    lazy, extra = peak_extra_bytes(lambda: greedy.choose(draws, best, size))
    plain = greedy.choose(draws, best, _PLAIN_PICKS, lazy=False)
    listed = greedy.shortlist(draws, best, _POOL)
    pool = draws[:, listed].contiguous()
    staged, pool_extra = peak_extra_bytes(lambda: greedy.choose(pool, best, size))
    rows = listed[staged.rows].tolist()
    values = [greedy.improvement(draws, best, each) for each in (lazy.rows, rows)]
    return {
        "candidates": candidates,
        "draws": members,
        "batch_size": size,
        "lazy_processor_seconds": lazy.seconds,
        "lazy_gains_computed_share": lazy.looked_at / (size * candidates),
        "lazy_peak_extra_over_draws_ratio": extra / (draws.nbytes),
        "draws_mebibytes": draws.nbytes / 2**20,
        f"plain_processor_seconds_drawn_on_from_{_PLAIN_PICKS}_picks": plain.seconds
        * size
        / _PLAIN_PICKS,
        "plain_over_lazy_ratio": plain.seconds * size / _PLAIN_PICKS / lazy.seconds,
        "lazy_and_plain_same_first_picks": float(plain.rows == lazy.rows[:_PLAIN_PICKS]),
        "two_stage_pool": len(listed),
        "two_stage_choice_processor_seconds": staged.seconds,
        "two_stage_choice_peak_extra_mebibytes": pool_extra / 2**20,
        "two_stage_over_exact_value_ratio": values[1] / values[0],
        "two_stage_same_choices_share": len(set(rows) & set(lazy.rows)) / size,
    }


def against_botorch(candidates: int, members: int, size: int, lazy_seconds: float) -> Figures:
    """Same draws, `_SMALL` candidates and batches that finish; then drawn on by their growth."""
    draws, best = draws_of(members, _SMALL)
    found: Figures = {}
    seconds = []
    for asked in _SIZES:
        theirs, mine = (each.choose(draws, best, asked) for each in (botorch_discrete, greedy))
        seconds.append(theirs.seconds)
        value = [greedy.improvement(draws, best, each.rows) for each in (mine, theirs)]
        name = f"q{asked}_of_{_SMALL}"
        found[f"botorch_{name}_processor_seconds"] = theirs.seconds
        found[f"lazy_{name}_processor_seconds"] = mine.seconds
        found[f"botorch_over_lazy_{name}_ratio"] = theirs.seconds / mine.seconds
        found[f"lazy_over_botorch_{name}_value_ratio"] = value[0] / value[1]
        found[f"same_choices_{name}_share"] = len(set(mine.rows) & set(theirs.rows)) / asked
    growth = math.log(seconds[-1] / seconds[-2]) / math.log(_SIZES[-1] / _SIZES[-2])
    on = seconds[-1] * (size / _SIZES[-1]) ** growth * candidates / _SMALL
    found["botorch_growth_exponent_in_q"] = growth
    found[f"botorch_processor_seconds_drawn_on_from_q{_SIZES[-1]}_of_{_SMALL}"] = on
    found["botorch_drawn_on_over_lazy_ratio"] = on / lazy_seconds
    return found


def against_peers(limit: float) -> Figures:
    """BayBE and Ax on a small screen; what each measured first, and what it chose."""
    screen = small_screen()
    asked: dict[str, Callable[[Screen, int], peers.Answer]] = {
        "gp_and_lazy": peers.ours,
        "baybe": lambda screen, size: peers.baybe(screen, size, limit),
        "ax": lambda screen, size: peers.ax(screen, size, limit),
    }
    name = f"q{_PEER_SIZE}_of_{len(screen.left)}"
    found: Figures = {}
    for who, ask in asked.items():
        answer = ask(screen, _PEER_SIZE)
        if answer.refused:
            found[f"{who}_{name}_refused"] = answer.refused
            continue
        found[f"{who}_{name}_wall_seconds_with_fit"] = answer.seconds
        found[f"{who}_{name}_fresh_choices_share"] = len(set(answer.rows)) / _PEER_SIZE
        if answer.rows:
            found[f"{who}_{name}_best_true_value"] = float(screen.truth[answer.rows].max())
    found["best_true_value_left"] = float(screen.truth[screen.left].max())
    return found


def main() -> None:
    """Run, and print one JSON document or a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--candidates", type=int, default=100_000)
    parser.add_argument("--draws", type=int, default=512)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument(
        "--peer-seconds", type=float, default=180.0, help="how long a peer may take"
    )
    asked = parser.parse_args()
    torch.set_num_threads(1)
    figures = whole(asked.candidates, asked.draws, asked.size)
    figures |= against_botorch(
        asked.candidates, asked.draws, asked.size, float(figures["lazy_processor_seconds"])
    )
    figures |= against_peers(asked.peer_seconds)
    if asked.json:
        print(json.dumps({"benchmark": "batch", "figures": figures}))
        return
    for name, value in figures.items():
        print(f"{name:56} {value if isinstance(value, str) else format(value, '12.6g')}")


if __name__ == "__main__":
    main()
