"""What a belief is made of: the control, an additive part a perturbagen, and interaction parts.

By inclusion-exclusion over the subsets of a perturbation: the part of a set is what is believed
of it less the parts of all smaller sets in it. So the parts of all subsets sum to the belief.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from loop.domain.perturbation import Component, Perturbation

FULL_ORDER = 5
"""The largest order of which every subset is asked about: 32 of them; above, up to pairs only."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A predicted mean, taken apart, in the readout's unit.

    `control + sum(additive) + sum(pairs) + rest == mean`, to rounding of float64.

    Attributes:
        mean: The belief's mean.
        control: The mean of the control in the same context.
        additive: What each component adds to the control alone, by `id` or `id@dose`.
        pairs: What each pair adds beyond its two, by `id+id`; empty below order 2.
        higher: What each larger subset adds beyond all of its own subsets; it sums to `rest`.
            Empty below order 3 and above order 5.
        rest: Everything that additive parts and pairs leave; 0 below order 3.
        interaction: Everything beyond the additive parts: pairs and rest; None below order 2.
    """

    mean: float
    control: float
    additive: Mapping[str, float]
    pairs: Mapping[str, float]
    higher: Mapping[str, float]
    rest: float
    interaction: float | None


def pieces(whole: Perturbation) -> list[Perturbation]:
    """The subsets of a perturbation whose means `taken_apart` needs, itself included.

    All 2^k up to order 5; above, the k (k + 1) / 2 + 2 of order 0, 1, 2 and k.
    """
    return [Perturbation(subset, whole.context) for subset in _subsets(whole)]


def taken_apart(whole: Perturbation, mean_of: Mapping[str, float]) -> Parts:
    """The parts of a perturbation, from the means of all of its `pieces` by canonical key."""
    own: dict[tuple[Component, ...], float] = {}
    for subset in _subsets(whole):
        if len(subset) <= 2 or whole.order <= FULL_ORDER:
            inner = (
                own[part] for size in range(len(subset)) for part in combinations(subset, size)
            )
            own[subset] = math.fsum(
                (mean_of[Perturbation(subset, whole.context).key], *(-part for part in inner))
            )
    named = {
        size: {"+".join(map(str, s)): value for s, value in own.items() if len(s) == size}
        for size in (1, 2)
    }
    higher = {"+".join(map(str, s)): value for s, value in own.items() if len(s) > 2}
    mean, control = mean_of[whole.key], own[()]
    beyond = math.fsum((mean, -control, *(-value for value in named[1].values())))
    return Parts(
        mean,
        control,
        named[1],
        named[2],
        higher,
        math.fsum((beyond, *(-v for v in named[2].values()))) if whole.order > 2 else 0.0,
        beyond if whole.order > 1 else None,
    )


def _subsets(whole: Perturbation) -> list[tuple[Component, ...]]:
    """Subsets by size, smallest first."""
    every = range(whole.order + 1)
    sizes = every if whole.order <= FULL_ORDER else (0, 1, 2, whole.order)
    return [subset for size in sizes for subset in combinations(whole.components, size)]


def rounded(values: list[float], decimals: int) -> list[float]:
    """Values rounded so that they sum to their rounded sum.

    Those whose rounding went furthest wrong are moved by one in the last place (largest
    remainder), so none is off by more than one there.
    """
    unit = 10.0**-decimals
    counts = [round(value / unit) for value in values]
    missing = round(math.fsum(values) / unit) - sum(counts)
    step = 1 if missing > 0 else -1
    wrong = [step * (value / unit - count) for value, count in zip(values, counts, strict=True)]
    furthest = sorted(range(len(values)), key=lambda at: -wrong[at])
    for at in furthest[: abs(missing)]:
        counts[at] += step
    return [round(count * unit, decimals) for count in counts]


def decimals_for(values: list[float], digits: int = 3) -> int:
    """How many decimals show the largest value with so many digits."""
    largest = max((abs(value) for value in values), default=0.0)
    if largest == 0 or not math.isfinite(largest):
        return digits - 1
    return max(0, digits - 1 - math.floor(math.log10(largest)))
