"""The report's plots, each as inline SVG: no script, no outside address, same input same bytes."""

import io
import math
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.stats import beta

from loop.calibration import tailed_quantile
from loop.domain.goal import Readout, smaller_is_better
from loop.domain.plate import Plate, Role
from loop.forecast import HITS
from loop.rounds import judged
from loop.standing import Record
from loop.status import RoundLine

_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#777777"


@dataclass(frozen=True, slots=True)
class Point:
    """A chosen perturbation that was predicted and then measured (goal readout)."""

    mean: float
    sd: float
    low: float
    high: float
    value: float
    audit: bool


def predicted_points(record: Record) -> list[Point]:
    """Everything that was predicted before it was measured, but for reference designs."""
    rows = [
        row
        for batch in record.batches
        for row in judged(batch, record.observed, record.campaign.readout)
    ]
    return [
        Point(told.mean, told.sd, told.low, told.high, row.value, row.audit)
        for row in rows
        if (told := row.belief) is not None
    ]


def _style() -> AbstractContextManager[None]:
    """Text stays text, ids do not change from run to run, and a '$' in a name is a dollar."""
    return rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "pertloop",
            "font.size": 9.0,
            "text.parse_math": False,
        }
    )


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # The reader's own fonts draw the text; ours are only asked how wide it is.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _axes(width: float = 6.0, height: float = 3.8) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def progress_curve(record: Record) -> str:
    """Hits against perturbations tested, with the band that random wells would lie in.

    The random rate is that of the audit wells: its 90 % Jeffreys interval is the band.
    """
    with _style():
        figure, axes = _axes()
        hits = {each.key for each in record.hits}
        found = np.cumsum([each.key in hits for each in record.tested])
        wells = np.arange(1, len(found) + 1)
        axes.plot(wells, found, color=_BLUE, label="hits found")
        audit = [each.key for each in record.tested if each.key in record.audit_keys]
        if audit:
            k, n = len(hits.intersection(audit)), len(audit)
            low, high = beta.ppf((0.05, 0.95), k + 0.5, n - k + 0.5)
            axes.fill_between(wells, low * wells, high * wells, color=_GREY, alpha=0.2, linewidth=0)
            axes.plot(wells, k / n * wells, "--", color=_GREY, label=f"random ({n} audit wells)")
        axes.set_xlabel("perturbations tested")
        axes.set_ylabel("hits")
        axes.legend(frameon=False)
        return _svg(figure)


def forecast_bars(lines: Sequence[RoundLine]) -> str:
    """What each round was expected to bring, with its 90 % interval, against what came.

    Of the rounds that have a forecast; what came is left out where it is not measured yet.
    """
    with _style():
        figure, axes = _axes()
        for line in lines:
            told = line.forecast if line.came is None else line.came.forecast
            if told is None:
                continue
            bars = [[told.value - told.low], [told.high - told.value]]
            axes.errorbar([line.number], [told.value], yerr=bars, fmt="s", color=_BLUE, capsize=4)
            if told.random is not None:
                axes.plot([line.number], [told.random], "_", color=_GREY, markersize=14)
            if line.came is not None:
                axes.plot([line.number], [line.came.value], "o", color=_ORANGE)
        for marker, colour, label in (
            ("s", _BLUE, "expected (90 %)"),
            ("o", _ORANGE, "came"),
            ("_", _GREY, "as many at random"),
        ):
            axes.plot([], [], marker, color=colour, label=label)
        axes.set_xticks([line.number for line in lines])
        units = {line.forecast.unit for line in lines if line.forecast is not None}
        hits = units == {HITS}
        axes.set_ylabel("hits of the round" if hits else "gain over the best before")
        axes.set_xlabel("round")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
        return _svg(figure)


def best_curve(record: Record) -> str:
    """The best value so far against perturbations tested."""
    with _style():
        figure, axes = _axes()
        readout = record.campaign.readout
        values = [record.observed.value(each.key, readout.name) for each in record.tested]
        numbers = np.array([v for v in values if v is not None])
        downwards = smaller_is_better(record.campaign.goal, readout)
        best = np.minimum.accumulate(numbers) if downwards else np.maximum.accumulate(numbers)
        axes.plot(np.arange(1, len(best) + 1), best, color=_BLUE)
        axes.set_xlabel("perturbations tested")
        axes.set_ylabel(f"best {_named(readout)}")
        return _svg(figure)


def belief_against_measurement(points: Sequence[Point], readout: Readout) -> str:
    """Predicted (with its 90 % interval) against measured; audit wells stand out."""
    with _style():
        figure, axes = _axes(5.2, 4.4)
        for audit, colour, label in ((False, _BLUE, "chosen"), (True, _ORANGE, "audit")):
            some = [p for p in points if p.audit is audit]
            if not some:
                continue
            mean = np.array([p.mean for p in some])
            bars = np.array([[p.mean - p.low for p in some], [p.high - p.mean for p in some]])
            axes.errorbar(
                [p.value for p in some],
                mean,
                yerr=bars,
                fmt="o",
                markersize=3,
                color=colour,
                ecolor=colour,
                elinewidth=0.4,
                alpha=0.6,
                label=f"{label} ({len(some)})",
            )
        edge = [
            min(min(p.value, p.mean) for p in points),
            max(max(p.value, p.mean) for p in points),
        ]
        axes.plot(edge, edge, "--", color=_GREY, linewidth=0.8)
        for limit in (readout.low, readout.high):
            if math.isfinite(limit):
                axes.axvline(limit, color=_GREY, linewidth=0.6, linestyle=":")
        axes.set_xlabel(f"measured {_named(readout)}")
        axes.set_ylabel(f"predicted {_named(readout)}, before measuring")
        axes.legend(frameon=False)
        return _svg(figure)


def calibration_curve(points: Sequence[Point]) -> str:
    """Share of measurements inside central intervals, against the share that was promised."""
    with _style():
        figure, axes = _axes(4.4, 4.2)
        levels = np.linspace(0.05, 0.95, 19)
        axes.plot([0, 1], [0, 1], "--", color=_GREY, linewidth=0.8, label="honest")
        for audit, colour, label in ((False, _BLUE, "chosen"), (True, _ORANGE, "audit")):
            some = [p for p in points if p.audit is audit]
            if len(some) < 5:
                continue
            score = np.abs([(p.value - p.mean) / p.sd for p in some])
            inside = [(score <= tailed_quantile(level)).mean() for level in levels]
            axes.plot(levels, inside, marker=".", color=colour, label=f"{label} ({len(some)})")
        axes.set_xlabel("promised coverage")
        axes.set_ylabel("measured coverage")
        axes.set_aspect("equal")
        axes.legend(frameon=False)
        return _svg(figure)


def plate_map(plate: Plate, values: dict[str, float], readout: Readout) -> str:
    """A plate as a heat map of normalised values; controls are outlined, empty wells blank."""
    with _style():
        rows, columns = plate.format.rows, plate.format.columns
        figure, axes = _axes(6.4, 4.0)
        grid = np.full((rows, columns), np.nan)
        for well in plate.wells:
            row, column = plate.format.position(well.name)
            grid[row, column] = values.get(well.name, np.nan)
            if well.role in (Role.NEGATIVE, Role.POSITIVE):
                colour = "black" if well.role is Role.NEGATIVE else _ORANGE
                axes.add_patch(
                    Rectangle(
                        (column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor=colour, linewidth=0.8
                    )
                )
        reach = float(np.nanmax(np.abs(grid))) if np.isfinite(grid).any() else 1.0
        scale = TwoSlopeNorm(0.0, -(reach or 1.0), reach or 1.0)
        image = axes.imshow(grid, cmap="RdBu_r", norm=scale)
        figure.colorbar(image, ax=axes, label=_named(readout), shrink=0.8)
        axes.set_xticks(range(0, columns, max(1, columns // 12)))
        axes.set_xticklabels([str(c + 1) for c in range(0, columns, max(1, columns // 12))])
        axes.set_yticks(range(rows))
        axes.set_yticklabels([plate.format.well(r, 0)[:-2] for r in range(rows)], fontsize=6)
        axes.set_title(f"{plate.id} ({plate.barcode})", fontsize=9)
        return _svg(figure)


def _named(readout: Readout) -> str:
    return f"{readout.name} ({readout.unit})" if readout.unit else readout.name
