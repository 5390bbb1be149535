"""Why a candidate was chosen, in a sentence for the scientist."""

from collections.abc import Sequence

from acquisition.marginals import Marginals
from loop.domain.goal import Readout

_NINETY = 1.6448536269514722


def reasons(
    readout: Readout,
    marginals: Marginals,
    clauses: Sequence[str],
    ranks: Sequence[int],
    listed: int,
    among: str,
) -> tuple[str, ...]:
    """One sentence for each chosen candidate: prediction, what speaks for it, rank.

    Ranks were kept for the first `listed` candidates. A rank of 0 is past them: one that only
    some members like, or that moved up when `max_uses` kept others out.
    """
    unit = f" {readout.unit}" if readout.unit else ""
    means, widths = marginals.mean.tolist(), (_NINETY * marginals.sd).tolist()
    return tuple(
        f"Predicted {mean:.3g} ± {width:.3g}{unit} (90 % of measurements)"
        f"{clause}; {_rank(rank, listed)} {among}."
        for mean, width, clause, rank in zip(means, widths, clauses, ranks, strict=True)
    )


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


def _rank(rank: int, listed: int) -> str:
    return f"rank {rank:,} of" if rank else f"ranked past the first {listed:,} of"
