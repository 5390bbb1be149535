"""Choosing a batch: our incremental greedy against BoTorch's, and what the scan itself costs.

`python benchmarks/batch_choice.py [--json] [--candidates N] [--draws S] [--size Q]`. Both
choose q of N candidates by expected improvement over the same S joint draws, in one process, on
one thread; the draws are a table, so that nothing but the choosing is timed. The scan rates
all 100,576 pairs of 449 perturbagens with 16 members of a small network each.
"""

import argparse
import json
import time
from itertools import combinations

import numpy as np
import torch
from botorch.acquisition.logei import qLogExpectedImprovement
from botorch.models.ensemble import EnsembleModel
from botorch.optim.optimize import optimize_acqf_discrete
from botorch.posteriors.ensemble import EnsemblePosterior
from botorch.posteriors.posterior import Posterior
from botorch.sampling.base import MCSampler
from torch import Tensor

from acquisition.beliefs import MemberBeliefs
from acquisition.expected_improvement import ImprovementGains
from acquisition.offer import Survey
from acquisition.scan import Scan
from acquisition.use_limits import UseLimits
from loop.domain.goal import Goal, Readout
from loop.ports.arrays import BoolArray, Combinations, IntArray
from loop.ports.engine import BatchRequest


class Table(EnsembleModel):
    """A model that looks its members' values up; a row of `X` is a row of the table."""

    def __init__(self, draws: Tensor) -> None:
        super().__init__()
        self._draws = draws
        self._num_outputs = 1

    def forward(self, X: Tensor) -> Tensor:  # noqa: N803
        """Values, batch x members x q x 1."""
        return self._draws[:, X[..., 0].long()].movedim(0, -2)[..., None]


class EveryMember(MCSampler):
    """Draws every member exactly once, so that both sides see the same draws."""

    def forward(self, posterior: Posterior) -> Tensor:
        """Members first."""
        assert isinstance(posterior, EnsemblePosterior)
        return posterior.values.movedim(-3, 0)


def choose_incrementally(draws: Tensor, best: float, size: int) -> list[int]:
    """Our greedy choice, without the scan."""
    gains = ImprovementGains(draws[:, :0], draws, best)
    chosen: list[int] = []
    for _ in range(size):
        values = gains.values()
        values[chosen] = -np.inf
        chosen.append(int(values.argmax()))
        gains.add(chosen[-1])
    return chosen


def choose_with_botorch(draws: Tensor, best: float, size: int) -> list[int]:
    """BoTorch's greedy choice over a discrete set."""
    value = qLogExpectedImprovement(
        Table(draws), best_f=best, sampler=EveryMember(torch.Size([len(draws)]), seed=0)
    )
    choices = torch.arange(draws.shape[1], dtype=torch.float64)[:, None]
    with torch.no_grad():
        rows, _ = optimize_acqf_discrete(value, q=size, choices=choices, max_batch_size=2_048)
    return [int(row) for row in rows[:, 0]]


def improvement(draws: Tensor, best: float, chosen: list[int]) -> float:
    """The exact expected improvement of a batch."""
    return float((draws[:, chosen].amax(dim=1) - best).clamp_min(0).mean())


def compare(candidates: int, members: int, size: int) -> dict[str, float]:
    """Time both on draws with a few shared directions, as an ensemble's are."""
    generator = torch.Generator().manual_seed(1)
    shared = torch.randn(members, 24, generator=generator, dtype=torch.float64)
    loadings = torch.randn(24, candidates, generator=generator, dtype=torch.float64)
    mean = 0.7 * torch.randn(candidates, generator=generator, dtype=torch.float64)
    draws, best = mean + 0.1 * shared @ loadings, float(mean.max())
    start = time.perf_counter()
    ours = choose_incrementally(draws, best, size)
    middle = time.perf_counter()
    theirs = choose_with_botorch(draws, best, size)
    end = time.perf_counter()
    values = improvement(draws, best, ours), improvement(draws, best, theirs)
    return {
        "candidates": candidates,
        "members": members,
        "batch_size": size,
        "incremental_seconds": middle - start,
        "botorch_seconds": end - middle,
        "botorch_over_incremental_ratio": (end - middle) / (middle - start),
        "incremental_improvement_readout_units": values[0],
        "botorch_improvement_readout_units": values[1],
        "incremental_over_botorch_improvement_ratio": values[0] / values[1],
        "same_choices_share": len(set(ours) & set(theirs)) / size,
    }


class AllPairs:
    """All pairs of P perturbagens in one context."""

    slots = 2

    def __init__(self, perturbagens: int) -> None:
        self._pairs = np.array(list(combinations(range(perturbagens), 2)), dtype=np.int64)

    def __len__(self) -> int:
        return len(self._pairs)

    def on_offer(self) -> int:
        """All of them."""
        return len(self._pairs)

    def unrank(self, addresses: IntArray) -> Combinations:
        """By a table."""
        components = self._pairs[addresses]
        nothing = np.zeros(len(addresses), dtype=np.int64)
        return Combinations(components, np.zeros_like(components), nothing)

    def rank(self, combinations: Combinations) -> IntArray:
        """Never asked."""
        raise NotImplementedError

    def permitted(self, combinations: Combinations) -> BoolArray:
        """All of them."""
        return np.ones(len(combinations), dtype=np.bool_)


class TimedMembers:
    """16 networks of two layers over the sum of two vectors, and the time spent in them."""

    def __init__(self, perturbagens: int, members: int = 16, width: int = 64) -> None:
        generator = torch.Generator().manual_seed(2)
        self._vectors = torch.randn(members, perturbagens, width, generator=generator)
        self._inner = torch.randn(members, width, width, generator=generator) / width**0.5
        self._outer = torch.randn(members, width, 1, generator=generator) / width**0.5
        self.seconds = 0.0

    def member_means(self, combinations: Combinations) -> Tensor:
        """(S, N, 1)."""
        start = time.perf_counter()
        first, second = torch.from_numpy(combinations.components).unbind(dim=1)
        hidden = (self._vectors[:, first] + self._vectors[:, second]).relu()
        answer = (hidden @ self._inner).relu() @ self._outer
        self.seconds += time.perf_counter() - start
        return answer

    def noise_sd(self) -> Tensor:
        """One readout."""
        return torch.ones(1)


def scan() -> dict[str, float]:
    """Time the scan, and how much of it the surrogate takes."""
    space, members = AllPairs(449), TimedMembers(449)
    nothing = np.empty(0, dtype=np.int64)
    uses = np.zeros(449, dtype=np.int64)
    request = BatchRequest(
        space=space,
        taken=nothing,
        surrogate=members,  # type: ignore[arg-type]  # the scan asks for no more
        goal=Goal.FIND_HITS,
        readout=Readout("gi", low=-2.0, high=2.0),
        best=None,
        pending=space.unrank(nothing),
        size=128,
        max_uses=0,
        uses=uses,
        settings={},
    )
    rated = Scan(
        Survey(len(space), len(space), 1),
        32_768,
        2,
        lambda beliefs: beliefs.chance_past(-2.0, 2.0),
        None,
    )
    beliefs = MemberBeliefs(members)
    start = time.perf_counter()
    pool = rated.best(
        request, beliefs, nothing, UseLimits(0, uses), 2_000, lambda share, doing: None
    )
    seconds = time.perf_counter() - start
    return {
        "scanned_candidates": pool.scanned,
        "scan_seconds": seconds,
        "scan_candidates_per_second": pool.scanned / seconds,
        "scan_seconds_outside_surrogate": seconds - members.seconds,
        "scan_share_in_surrogate": members.seconds / seconds,
    }


def main() -> None:
    """Run, and print one JSON document or a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--candidates", type=int, default=10_000)
    parser.add_argument("--draws", type=int, default=64)
    parser.add_argument("--size", type=int, default=32)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    figures = compare(asked.candidates, asked.draws, asked.size) | scan()
    if asked.json:
        print(json.dumps({"benchmark": "batch_choice", "figures": figures}))
        return
    for name, value in figures.items():
        print(f"{name:48} {value:12.6g}")


if __name__ == "__main__":
    main()
