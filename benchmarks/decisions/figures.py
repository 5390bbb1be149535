"""The figures of the JSON document: flat numbers, units in their names."""

from collections.abc import Sequence

from benchmarks.decisions.summary import Row, Spread

_LAST = {
    "best": "best_mean_readout_units",
    "rmse": "rmse_mean_readout_units",
    "spearman": "rank_correlation_mean",
    "coverage90": "coverage90_mean_share",
    "coverage90_top": "coverage90_top_mean_share",
    "coverage90_selected": "coverage90_selected_mean_share",
}


def figures(rows: Sequence[Row]) -> dict[str, float]:
    """`SCREEN:STRATEGY:FIGURE` for each row; what is not known is left out."""
    told: dict[str, float] = {}
    for row in rows:
        here = f"{row.screen}:{row.strategy}"
        told |= {f"{here}:{name}": number for name, number in _of(row).items()}
    return told


def _of(row: Row) -> dict[str, float]:
    found: dict[str, float | None] = {"finished_seeds": len(row.runs)}
    hits = Spread.of(list(row.hits.values()))
    if hits is not None:
        found |= {
            "hits_mean_count": hits.mean,
            "hits_sd_count": hits.sd,
            "hits_median_count": hits.median,
            "hits_over_random_ratio": row.times_random,
        }
    for name, title in _LAST.items():
        found[title] = _mean(row.last(name))
    for name in ("coverage90", "coverage90_top"):
        every = row.every_round(name)
        if every is not None:
            found |= {f"{name}_least_share": every.low, f"{name}_most_share": every.high}
    found["run_mean_seconds"] = _mean(row.told("seconds"))
    if row.against is not None:
        found |= {
            "hits_minus_reference_mean_count": row.against.mean,
            "hits_minus_reference_sd_count": row.against.sd,
            "hits_minus_reference_low95_count": row.against.low,
            "hits_minus_reference_high95_count": row.against.high,
            "hits_minus_reference_p": row.against.p,
        }
    return {name: number for name, number in found.items() if number is not None}


def _mean(spread: Spread | None) -> float | None:
    return None if spread is None else spread.mean
