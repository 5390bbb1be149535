"""Earlier screens as a surrogate sees them: expectations of perturbations, and a view of items.

Each screen gives two numbers for any perturbation: what its map expects (`surrogate.screen_map`),
and by how much it measured something else, where it measured that very perturbation. A surrogate
learns how far to follow each, so a screen that misleads is turned down by the data. The screens'
factors, side by side, are one more representation of perturbagens.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from loop.ports.arrays import Combinations, FloatArray, IntArray, PriorScreen
from surrogate.bagging import mixed
from surrogate.screen_map import ScreenMap, located, standardised

VIEW_PARTS = ("additive by prior view", "pairwise by prior view")
"""What the set kernel calls its parts from `PriorEvidence.view`."""
_LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class _Screen:
    """One screen, ready to be asked.

    `names` are hashes of its perturbations, sorted, `left` what they measured beyond the map in
    the same order; `sizes` the root mean squares of expectation and remainder over its own rows;
    `levels` the nearest of its dose levels for each of the campaign's, shape (P, L).
    """

    name: str
    positions: IntArray
    levels: IntArray
    map: ScreenMap
    hashes: npt.NDArray[np.uint64]
    left: FloatArray
    sizes: tuple[float, float]


class PriorEvidence:
    """All earlier screens of a campaign; without any, every answer has no columns.

    Attributes:
        names: What each column of `columns` is, two for each screen.
        view: One row for each of the campaign's perturbagens, shape (P, v), zeros where no screen
            knows it; a known row has a mean square of 1 on average.
    """

    def __init__(self, screens: tuple[PriorScreen, ...], doses: FloatArray) -> None:
        """Map every screen, once; `doses` are the campaign's, shape (P, L)."""
        self._screens = [_prepared(each, doses) for each in screens]
        self.names = tuple(
            f"{noun} by {each.name}" for each in self._screens for noun in ("expected", "measured")
        )
        self.view = _view(self._screens, len(doses))

    @property
    def screens(self) -> dict[str, tuple[str, ...]]:
        """What belongs to each screen alone, by its name: columns; the view where it is the one."""
        views = VIEW_PARTS if len(self._screens) == 1 else ()
        return {
            each.name: (*self.names[2 * at : 2 * at + 2], *views)
            for at, each in enumerate(self._screens)
        }

    def columns(self, combinations: Combinations) -> FloatArray:
        """Expectation and remainder by each screen, shape (N, 2J), of SD about 1 in the screen.

        0 for the control, and where a screen knows none of the perturbagens. The cost is that of a
        sorted look-up: O(N log N').
        """
        answers = [part for each in self._screens for part in _asked(each, combinations)]
        return np.stack(answers, axis=1) if answers else np.zeros((len(combinations), 0))


def _prepared(screen: PriorScreen, doses: FloatArray) -> _Screen:
    learned = ScreenMap.of(screen)
    components, levels = screen.combinations.components, screen.combinations.levels
    expected = learned.expected(components)
    left = standardised(screen.values) - expected
    hashes = _hashes(components, levels)
    order = np.argsort(hashes, kind="stable")
    return _Screen(
        screen.name,
        screen.positions,
        _nearest_levels(screen, doses),
        learned,
        hashes[order],
        left[order],
        (_size(expected), _size(left)),
    )


def _size(values: FloatArray) -> float:
    return max(float(np.sqrt(np.mean(values**2))), _LEAST)


def _nearest_levels(screen: PriorScreen, doses: FloatArray) -> IntArray:
    """For each of the campaign's dose levels the screen's nearest, shape (P, L)."""
    theirs = screen.doses[screen.positions]
    apart = np.abs(doses[:, :, None] - theirs[:, None, :])
    apart = np.where(np.isfinite(apart), apart, np.inf)
    return np.asarray(apart.argmin(axis=2), dtype=np.int64)


def _asked(screen: _Screen, combinations: Combinations) -> tuple[FloatArray, FloatArray]:
    components = located(combinations, screen.positions)
    filled = combinations.components >= 0
    levels = screen.levels[combinations.components, combinations.levels]
    hashes = _hashes(components, levels)
    at = np.minimum(np.searchsorted(screen.hashes, hashes), len(screen.hashes) - 1)
    whole = (components >= 0).sum(axis=1) == filled.sum(axis=1)
    met = whole & filled.any(axis=1) & (screen.hashes[at] == hashes)
    return (
        screen.map.expected(components) / screen.sizes[0],
        np.where(met, screen.left[at], 0.0) / screen.sizes[1],
    )


def _hashes(components: IntArray, levels: IntArray) -> npt.NDArray[np.uint64]:
    """A number for each set of items, whatever their order, shape (N,) (Zobrist, 1970)."""
    filled = components >= 0
    codes = np.where(filled, components * 2**20 + levels, 0).astype(np.uint64)
    summed: npt.NDArray[np.uint64] = np.where(filled, mixed(codes), np.uint64(0)).sum(
        axis=1, dtype=np.uint64
    )
    return summed


def _view(screens: list[_Screen], perturbagens: int) -> FloatArray:
    """Factors and effects of all screens side by side, shape (P, v)."""
    blocks = []
    for each in screens:
        own = np.concatenate([each.map.effects[:, None], each.map.factors], axis=1)
        rows = np.where((each.positions >= 0)[:, None], own[each.positions], 0.0)
        known = rows[each.positions >= 0]
        blocks.append(rows / _size(known) if len(known) else rows)
    return np.concatenate(blocks, axis=1) if blocks else np.zeros((perturbagens, 0))
