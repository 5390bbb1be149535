"""Small multiples: hits against wells on each screen, seeds as thin lines."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.decisions.strategies import PEERS, RANDOM
from benchmarks.decisions.summary import Row
from loop.domain.errors import UnreadableFileError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C564B", "#000000")
_GREY = "#888888"
_MARKS = ("o", "s", "^", "D", "v", "P", "X")
_MOST_ACROSS = 3


def plot(rows: Sequence[Row], path: Path) -> None:
    """Draw one panel for each screen: mean hits, bold; seeds, thin; peers dashed.

    Raises:
        UnreadableFileError: If nothing is there to draw, or the file cannot be written.
    """
    from matplotlib.figure import Figure

    drawn = [row for row in rows if row.curves]
    screens = list(dict.fromkeys(row.screen for row in drawn))
    if not screens:
        msg = f"There is nothing to draw in {path} yet: no run has finished."
        raise UnreadableFileError(msg)
    looks = _looks(list(dict.fromkeys(row.strategy for row in drawn)))
    across = min(_MOST_ACROSS, len(screens))
    down = math.ceil(len(screens) / across)
    figure = Figure(figsize=(4.2 * across, 3.3 * down + 0.9), layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for panel, screen in zip(panels, screens, strict=False):
        _panel(panel, [row for row in drawn if row.screen == screen], looks)
    for panel in panels[len(screens) :]:
        panel.set_axis_off()
    handles = {
        label: handle
        for panel in panels[: len(screens)]
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=across, fontsize=8
    )
    try:
        figure.savefig(path, dpi=130)
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be drawn ({error}); name a .png, .svg or .pdf in an existing folder."
        raise UnreadableFileError(msg) from error


_Look = tuple[str, str, str]


def _looks(names: Sequence[str]) -> dict[str, _Look]:
    """Colour, mark and line of each strategy; both cycle, so that fifty pairs differ."""
    looks = {
        name: (
            _COLOURS[at % len(_COLOURS)],
            _MARKS[at % len(_MARKS)],
            "--" if name in PEERS else "-",
        )
        for at, name in enumerate(name for name in names if name != RANDOM)
    }
    return {RANDOM: (_GREY, ".", "-"), **looks}


def _panel(axes: "Axes", rows: Sequence[Row], looks: dict[str, _Look]) -> None:
    for row in rows:
        colour, mark, line = looks[row.strategy]
        for curve in row.curves.values():
            axes.plot(
                *zip(*curve, strict=True), color=colour, linestyle=line, linewidth=0.6, alpha=0.35
            )
        curves = [curve for curve in row.curves.values() if len(curve) == len(_longest(row))]
        mean = np.array([[hits for _, hits in curve] for curve in curves]).mean(axis=0)
        wells = [wells for wells, _ in _longest(row)]
        axes.plot(
            wells,
            mean,
            color=colour,
            linestyle=line,
            marker=mark,
            markersize=3.5,
            linewidth=1.6,
            label=row.strategy,
        )
    random = next((row.random_hits for row in rows if row.random_hits), None)
    if random and not any(row.strategy == RANDOM for row in rows):
        wells = [wells for wells, _ in _longest(rows[0])]
        axes.plot(wells, random, color=_GREY, linestyle=":", label="random expectation")
    axes.set_ylim(bottom=0)
    seeds = sorted({len(row.curves) for row in rows})
    told = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    word = "seed" if seeds[-1] == 1 else "seeds"
    axes.set_title(f"{rows[0].screen} ({told} {word})", fontsize=9)
    axes.set_xlabel("wells", fontsize=8)
    axes.set_ylabel("hits", fontsize=8)
    axes.tick_params(labelsize=7)


def _longest(row: Row) -> tuple[tuple[float, float], ...]:
    return max(row.curves.values(), key=len)
