"""The picture of a replay: hits, or what its goal asks, against wells; seeds as thin lines."""

from pathlib import Path

import numpy as np

from loop.domain.errors import UnreadableFileError
from loop.replay.run import Replayed

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


_TITLES = (
    ("hypervolume", "volume of the front found / of the whole table's"),
    ("distance", "distance of the nearest found to the wanted state (SDs)"),
    ("hits", "hits found"),
)
_ENDINGS = (".png", ".svg", ".pdf")


def check_drawable(path: Path) -> None:
    """Refuse a picture that could not be drawn, before hours of replay.

    Raises:
        UnreadableFileError: If its ending is not known, or its folder does not exist.
    """
    if path.suffix.lower() not in _ENDINGS or not path.parent.is_dir() or path.is_dir():
        msg = f"{path} cannot be drawn; name a .png, .svg or .pdf in a folder that exists."
        raise UnreadableFileError(msg)


def plot_replay(replayed: Replayed, path: Path) -> None:
    """Draw the replay as a PNG, SVG or PDF, by the ending of `path`.

    Raises:
        UnreadableFileError: If the file cannot be written, or its ending is not known.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.8), layout="constrained")
    axes = figure.subplots()
    figure_of, title = _followed(replayed)
    for outcome, colour in zip(replayed.outcomes, _cycle(len(replayed.outcomes)), strict=True):
        wells = [line.wells for line in outcome.runs[0].rounds]
        curves = np.array(
            [[getattr(line, figure_of) for line in run.rounds] for run in outcome.runs],
            dtype=np.float64,
        )
        name = " / ".join(outcome.strategy.label)
        for curve in curves:
            axes.plot(wells, curve, color=colour, alpha=0.3, linewidth=0.8)
        axes.plot(wells, curves.mean(axis=0), color=colour, marker="o", label=name)
    random = replayed.document["random_expectation"]
    if figure_of == "hits" and isinstance(random, dict):
        axes.plot(random["wells"], random["hits"], "--", color="#777777", label="random, expected")
    axes.set_xlabel("perturbations measured")
    axes.set_ylabel(title)
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    try:
        figure.savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        msg = f"{path} could not be drawn: {error}; name a .png, .svg or .pdf in a folder."
        raise UnreadableFileError(msg) from error


def _followed(replayed: Replayed) -> tuple[str, str]:
    """The field of `RoundFigures` that says most of the goal, and what it is called."""
    for name, title in _TITLES:
        lines = [line for o in replayed.outcomes for run in o.runs for line in run.rounds]
        if all(getattr(line, name) is not None for line in lines):
            return name, title
    return "best", "best value found"


def _cycle(count: int) -> list[str]:
    return [_COLOURS[at % len(_COLOURS)] for at in range(count)]
