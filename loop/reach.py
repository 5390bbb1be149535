"""What lies out of a surrogate's reach: unlike anything that it has learned from.

A perturbagen's UR is *far* when the nearest measured UR is further away than 1.1 times the 99 %
quantile of the distances between each measured UR and its nearest measured neighbour. So the
yardstick is the measured URs' own spacing, whatever their units, width and scale; where fewer
than ten URs were measured there is none, and nothing is called far.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from loop.domain.library import Library
from loop.ports.arrays import BoolArray, Combinations, FloatArray, IntArray, Representations
from loop.ur_distance import UrDistance

QUANTILE = 0.99
FACTOR = 1.1
LEAST_MEASURED = 10
"""With fewer measured URs than this their spacing is no yardstick."""
_YARDSTICK_ROWS = 2_000
_LEAST_DISTANCE = 0.01
_NAMED = 5


@dataclass(frozen=True, slots=True)
class LibraryReach:
    """How much of a library the measured perturbations reach, in counts of perturbagens.

    `without_ur` have no UR though others have; `far` have one that is far from all measured
    ones; None where URs do not exist or too few were measured.
    """

    perturbagens: int
    without_ur: int | None
    never_measured: int
    far: int | None
    contexts_never_measured: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """All of it as one line for a person."""
        parts = [f"{self.never_measured:,} were never measured"]
        if self.without_ur:
            parts.append(f"{self.without_ur:,} have no UR")
        if self.far:
            parts.append(f"{self.far:,} have a UR that is far from every measured one")
        said = f"Of {self.perturbagens:,} perturbagens {_and(parts)}."
        if self.contexts_never_measured:
            said += f" No measurement in: {_some(self.contexts_never_measured)}."
        return said


class Reach:
    """What a set of measured perturbations reaches in a library.

    `measured` are those that have a value of the goal's readout, in any order. Building it costs
    O(n k + P d), and 2,000 UR distances to every measured perturbagen.
    """

    def __init__(
        self,
        library: Library,
        representations: Representations,
        measured: Combinations,
        distance: UrDistance | None = None,
    ) -> None:
        """Note which perturbagens, doses, contexts and orders occur."""
        self._library = library
        self._doses = representations.doses
        self._distance = distance or UrDistance(representations)
        filled = measured.components >= 0
        self._met = np.zeros(len(library.perturbagens), dtype=np.bool_)
        self._met[measured.components[filled]] = True
        self._levels = np.zeros(representations.doses.shape, dtype=np.bool_)
        self._levels[measured.components[filled], measured.levels[filled]] = True
        self._contexts = frozenset(np.unique(measured.contexts).tolist())
        self._orders = frozenset(np.unique(filled.sum(axis=1)).tolist())
        self._learned_urs: IntArray = np.flatnonzero(self._met & self._distance.known)
        self._limit = self._yardstick()

    def warnings(self, asked: Combinations) -> list[tuple[str, ...]]:
        """For each of N perturbations a sentence for everything about it that is out of reach."""
        distinct = np.unique(asked.components[asked.components >= 0])
        far = np.zeros(len(self._met), dtype=np.bool_)
        far[distinct] = self._far(distinct)
        return [
            tuple(self._sentences(row, levels, context, far))
            for row, levels, context in zip(
                asked.components, asked.levels, asked.contexts.tolist(), strict=True
            )
        ]

    def of_library(self) -> LibraryReach:
        """The whole library; seconds for 20,000 perturbagens with 544 columns of URs."""
        known = self._distance.known
        every = np.arange(len(self._met))
        contexts = self._library.contexts
        return LibraryReach(
            len(self._met),
            int((~known).sum()) if known.any() else None,
            int((~self._met).sum()),
            None if self._limit is None else int(self._far(every).sum()),
            tuple(name for at, name in enumerate(contexts) if at not in self._contexts),
        )

    def _yardstick(self) -> float | None:
        """The distance beyond which a UR is far; None where too few were measured.

        From at most 2,000 of the measured URs, evenly spread over the library.
        """
        urs = self._learned_urs
        if len(urs) < LEAST_MEASURED:
            return None
        picked = np.unique(np.linspace(0, len(urs) - 1, _YARDSTICK_ROWS).astype(np.int64))
        spacing = self._distance.to_nearest(urs[picked], urs)
        spacing = spacing[np.isfinite(spacing)]
        if not len(spacing):
            return None
        return max(_LEAST_DISTANCE, FACTOR * float(np.quantile(spacing, QUANTILE)))

    def _far(self, asked: IntArray) -> BoolArray:
        """Which of some perturbagens have a UR that is far from all measured ones."""
        if self._limit is None:
            return np.zeros(len(asked), dtype=np.bool_)
        looked_at = self._distance.known[asked] & ~self._met[asked]
        far = np.zeros(len(asked), dtype=np.bool_)
        nearest: FloatArray = self._distance.to_nearest(asked[looked_at], self._learned_urs)
        far[looked_at] = nearest > self._limit
        return far

    def _sentences(
        self, row: IntArray, levels: IntArray, context: int, far: BoolArray
    ) -> Iterable[str]:
        parts = row[row >= 0]
        if context not in self._contexts:
            name = self._library.contexts[context]
            yield f"Nothing was measured in context {name!r}: the belief comes from other contexts."
        if len(parts) not in self._orders:
            yield f"No {_of_order(len(parts))} was measured: the belief comes from other orders."
        yield from self._of_perturbagens(parts, far)
        for part, level in zip(parts.tolist(), levels[row >= 0].tolist(), strict=True):
            if self._met[part] and not self._levels[part, level]:
                yield self._of_dose(part, level)

    def _of_perturbagens(self, parts: IntArray, far: BoolArray) -> Iterable[str]:
        new = parts[~self._met[parts]]
        known = self._distance.known
        if not known.any() and len(new):
            yield f"{self._new(new)}, and identity alone is known: nothing tells its own effect."
            return
        if len(blank := new[~known[new]]):
            yield f"{self._new(blank)} and {_has(blank)} no UR: nothing tells its own effect."
        if len(lone := new[known[new] & far[new]]):
            yield (
                f"{self._new(lone)} and {_has(lone)} a UR far from all measured ones: the belief "
                "is an extrapolation."
            )
        if len(rest := new[known[new] & ~far[new]]):
            yield f"{self._new(rest)}: the belief comes from perturbagens with similar URs."

    def _of_dose(self, part: int, level: int) -> str:
        perturbagen = self._library.perturbagens[part]
        amounts = self._doses[part]
        met = amounts[self._levels[part]]
        inside = met.min() < amounts[level] < met.max()
        seen = np.flatnonzero(self._levels[part]).tolist()
        return (
            f"{perturbagen.id} was never measured at {perturbagen.doses[level]}, which lies "
            f"{'between' if inside else 'outside'} the measured doses: "
            f"{_some([str(perturbagen.doses[at]) for at in seen])}."
        )

    def _new(self, positions: IntArray) -> str:
        was = "was" if len(positions) == 1 else "were"
        return f"{self._names(positions)} {was} never measured"

    def _names(self, positions: IntArray) -> str:
        return _some([self._library.perturbagens[at].id for at in positions.tolist()])


def _of_order(order: int) -> str:
    if order == 0:
        return "control"
    return f"perturbation of order {order}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _and(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def _has(things: IntArray) -> str:
    return "has" if len(things) == 1 else "have"
