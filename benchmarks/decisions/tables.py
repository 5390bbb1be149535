"""The tables: per screen, and all screens together, in Markdown."""

import statistics
from collections.abc import Sequence

from benchmarks.decisions.paired import Difference
from benchmarks.decisions.summary import Row, Spread

_HEAD = (
    "strategy",
    "hits, mean ± SD",
    "median",
    "x random",
    "per seed",
    "low + high tail",
    "best, mean ± SD",
    "90 % intervals cover",
    "… of the top 2 %",
    "RMSE",
    "rank r",
    "s a run",
    "minus reference, hits [95 %], p",
)


def markdown(rows: Sequence[Row], reference: str, notes: Sequence[str]) -> str:
    """All tables, with what must be known to read them."""
    parts = [_reading(reference)]
    screens = list(dict.fromkeys(row.screen for row in rows))
    for screen in screens:
        parts.append(_of_screen([row for row in rows if row.screen == screen], reference))
    if len(screens) > 1:
        parts.append(_across(rows, reference))
    if notes:
        parts.append("Notes\n\n" + "\n".join(f"- {note}" for note in notes))
    return "\n\n".join(parts) + "\n"


def _reading(reference: str) -> str:
    return (
        "Hits and best are after the last round. Coverage, RMSE and rank correlation are of the "
        "readout on all that is not measured: coverage as mean over the last rounds (least to "
        "most over all rounds and seeds), ours calibrated, peers' as they come; a dash where a "
        "strategy predicts no readout. `top 2 %`: those with the largest predicted effect. "
        "Ours spend 6 % of each batch on audit wells, peers none. Differences are paired over "
        f"seeds against `{reference}`: mean, 95 % t interval, p by flipping signs, not corrected "
        "for the number of comparisons."
    )


def _of_screen(rows: Sequence[Row], reference: str) -> str:
    random = next((row.random_hits for row in rows if row.random_hits), None)
    wells = next((row.last("wells") for row in rows if row.runs), None)
    title = f"### {rows[0].screen}"
    if random and wells:
        title += f"\n\n{wells.mean:.0f} wells; random expectation {random[-1]:.1f} hits."
    lines = [_cells(row, reference) for row in rows]
    trouble = [f"- `{row.strategy}`: {each}" for row in rows for each in row.trouble]
    table = "\n".join(["| " + " | ".join(line) + " |" for line in (_HEAD, _rule(), *lines)])
    return "\n\n".join([title, table, *(["\n".join(trouble)] if trouble else [])])


def _rule() -> tuple[str, ...]:
    return ("---",) * len(_HEAD)


def _cells(row: Row, reference: str) -> tuple[str, ...]:
    name = f"`{row.strategy}`"
    if not row.runs:
        state = row.trouble[0].split(":")[0].upper() if row.trouble else "not run yet"
        return (name, state, *("–",) * (len(_HEAD) - 2))
    hits = Spread.of(list(row.hits.values()))
    per_seed = ", ".join(f"{row.hits[seed]:.0f}" for seed in sorted(row.hits))
    short = f" ({len(row.runs)} of {len(row.runs) + row.missing} seeds)" if row.missing else ""
    return (
        name,
        _pm(hits, 1) + short,
        "–" if hits is None else f"{hits.median:.1f}",
        "–" if row.times_random is None else f"{row.times_random:.2f}",
        per_seed or "–",
        _tails(row),
        _pm(row.last("best"), 3),
        _coverage(row, "coverage90"),
        _coverage(row, "coverage90_top"),
        _pm(row.last("rmse"), 3),
        _pm(row.last("spearman"), 3),
        _pm(row.told("seconds"), 1),
        "reference" if row.strategy == reference else _against(row.against),
    )


def _tails(row: Row) -> str:
    low, high = row.told("hits_low"), row.told("hits_high")
    return "–" if low is None or high is None else f"{low.mean:.0f} + {high.mean:.0f}"


def _pm(spread: Spread | None, digits: int) -> str:
    if spread is None:
        return "–"
    sd = "" if spread.sd is None else f" ± {spread.sd:.{digits}f}"
    return f"{spread.mean:.{digits}f}{sd}"


def _coverage(row: Row, name: str) -> str:
    last, every = row.last(name), row.every_round(name)
    if last is None or every is None:
        return "–"
    return f"{last.mean:.3f} ({every.low:.2f} to {every.high:.2f})"


def _against(found: Difference | None) -> str:
    if found is None:
        return "–"
    if found.low is None or found.high is None or found.p is None:
        return f"{found.mean:+.1f} (1 seed)"
    interval = f"[{found.low:+.1f}, {found.high:+.1f}]"
    return f"{found.mean:+.1f} {interval}, {found.p:.3f}, n={found.seeds}"


def _across(rows: Sequence[Row], reference: str) -> str:
    """Times random on every screen, and the geometric mean against the reference."""
    screens = list(dict.fromkeys(row.screen for row in rows))
    by = {(row.screen, row.strategy): row for row in rows}
    head = ("strategy", *screens, f"geometric mean of hits / `{reference}` (screens)")
    lines = [head, ("---",) * len(head)]
    for name in dict.fromkeys(row.strategy for row in rows):
        cells = [_times(by.get((screen, name))) for screen in screens]
        lines.append((f"`{name}`", *cells, _relative(by, screens, name, reference)))
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"### All screens: mean hits / random expectation\n\n{table}"


def _times(row: Row | None) -> str:
    return "–" if row is None or row.times_random is None else f"{row.times_random:.2f}"


def _relative(
    by: dict[tuple[str, str], Row], screens: Sequence[str], name: str, reference: str
) -> str:
    ratios = []
    for screen in screens:
        mine, base = by.get((screen, name)), by.get((screen, reference))
        if mine is None or base is None or not mine.times_random or not base.times_random:
            continue
        ratios.append(mine.times_random / base.times_random)
    return f"{statistics.geometric_mean(ratios):.2f} ({len(ratios)})" if ratios else "–"
