"""Why a candidate was chosen, in a sentence for the scientist."""

import math
from collections.abc import Sequence

from acquisition.belief.marginals import Marginals
from acquisition.choosing.suits import sign_of
from loop.domain.goal import Goal, Readout
from loop.ports.arrays import FloatArray
from loop.ports.engine import BatchRequest

_NINETY = 1.6448536269514722


def reasons(
    readout: Readout,
    marginals: Marginals,
    clauses: Sequence[str],
    ranks: Sequence[int],
    listed: int,
    among: str,
    brings: Sequence[str] = (),
) -> tuple[str, ...]:
    """One sentence for each chosen candidate: prediction, what speaks for it, rank.

    Ranks were kept for the first `listed` candidates. A rank of 0 is past them: one that only
    some members like, or that moved up when limits kept others out. `brings` is what each adds
    to the batch, in words that follow the rank; empty: nothing is said of it.
    """
    unit = f" {readout.unit}" if readout.unit else ""
    means, widths = marginals.mean.tolist(), (_NINETY * marginals.sd).tolist()
    return tuple(
        f"Predicted {mean:.3g} ± {width:.3g}{unit} (90 % before calibration)"
        f"{clause}; {_rank(rank, listed)} {among}{brought}."
        for mean, width, clause, rank, brought in zip(
            means, widths, clauses, ranks, brings or [""] * len(means), strict=True
        )
    )


def shares_brought(contributions: FloatArray, what: str) -> list[str]:
    """Which share of the batch's value each brings; nothing of a value without a name.

    `what` is that name, such as "expected hits". A batch of one is all of its own value.
    """
    if not what or len(contributions) < 2:
        return [""] * len(contributions)
    return [
        "" if math.isnan(share) else f"; brings {_share(share)} of the batch's {what}"
        for share in contributions.tolist()
    ]


def hit_clauses(marginals: Marginals, readout: Readout) -> list[str]:
    """How likely each is a hit; nothing where the readout has no threshold."""
    if not readout.has_threshold:
        return [""] * marginals.means.shape[1]
    chances = marginals.chance_past(readout.low, readout.high).tolist()
    return [f", {_percent(chance)} likely to pass a threshold" for chance in chances]


def improvement_clauses(
    marginals: Marginals, best: float | None, sign: float, unit: str
) -> list[str]:
    """How likely each beats the best so far, in the goal's direction (sign 1 or -1)."""
    if best is None:
        return [""] * marginals.means.shape[1]
    infinite = float("inf")
    bounds = (-infinite, best) if sign > 0 else (best, infinite)
    chances = marginals.chance_past(*bounds).tolist()
    what = f"{best:.3g} {unit}".rstrip()
    return [f", {_percent(chance)} likely to beat the best so far, {what}" for chance in chances]


def promise_clauses(marginals: Marginals, request: BatchRequest) -> list[str]:
    """How likely each is a hit where hits are sought, otherwise how likely it beats the best."""
    if request.goal is Goal.FIND_HITS:
        return hit_clauses(marginals, request.readout)
    sign = sign_of(request.goal)
    return improvement_clauses(marginals, request.best, sign, request.readout.unit)


def doubt_clauses(marginals: Marginals, unit: str) -> list[str]:
    """How unsure the surrogate is of each."""
    return [
        f", of which the surrogate's own doubt is {f'{sd:.2g} {unit}'.rstrip()} (1 sd)"
        for sd in marginals.epistemic_sd.tolist()
    ]


def _percent(chance: float) -> str:
    if chance < 0.01:
        return "under 1 %"
    return "over 99 %" if chance > 0.99 else f"{100 * chance:.0f} %"


def _share(share: float) -> str:
    if share < 0.001:
        return "under 0.1 %"
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"


def _rank(rank: int, listed: int) -> str:
    return f"rank {rank:,} of" if rank else f"ranked past the first {listed:,} of"
