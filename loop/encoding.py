"""Between the names of the domain and the positions of the arrays."""

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from loop.domain.errors import InvalidError
from loop.domain.library import Library
from loop.domain.perturbation import Component, Dose, Perturbation
from loop.ports.arrays import Combinations
from loop.ports.engine import CandidateSpace
from loop.space import ListedSpace, VirtualSpace
from loop.space.canonical import with_sorted_slots


class LibraryIndex:
    """The positions of a library's perturbagens, dose levels and contexts, and back.

    Positions follow the order of the library. Building it costs O(P).
    """

    def __init__(self, library: Library) -> None:
        """Number what the library holds."""
        self.library = library
        self._contexts = {name: i for i, name in enumerate(library.contexts)}
        self._perturbagens: dict[str, tuple[int, dict[Dose | None, int]]] = {}
        self._components: list[list[Component]] = []
        for position, perturbagen in enumerate(library.perturbagens):
            doses: tuple[Dose | None, ...] = perturbagen.doses or (None,)
            levels = {dose: level for level, dose in enumerate(doses)}
            self._perturbagens[perturbagen.id] = (position, levels)
            self._components.append([Component(perturbagen.id, dose) for dose in doses])
        self._level_counts = np.array([len(each) for each in self._components], dtype=np.int64)

    def encode(self, perturbations: Sequence[Perturbation]) -> Combinations:
        """N perturbations as arrays with the library's largest order as slots.

        A control has empty slots only. One pass of dictionary look-ups: O(N k).

        Raises:
            UnknownPerturbagenError: If one names a perturbagen that is not in the library.
            UnknownContextError: If a context is not in the library.
            DoseError: If a dose is missing, superfluous, or not one of the levels.
            InvalidError: If one names more perturbagens than may act together.
        """
        slots = self.library.max_order
        components = np.full((len(perturbations), slots), -1, dtype=np.int64)
        levels = np.full_like(components, -1)
        contexts = np.empty(len(perturbations), dtype=np.int64)
        rows: list[int] = []
        columns: list[int] = []
        positions: list[int] = []
        chosen: list[int] = []
        for row, perturbation in enumerate(perturbations):
            try:
                contexts[row] = self._contexts[perturbation.context]
                for part in perturbation.components:
                    position, of_dose = self._perturbagens[part.perturbagen]
                    chosen.append(of_dose[part.dose])
                    positions.append(position)
            except KeyError:
                self.library.check(perturbation)
                raise
            self._check_order(perturbation)
            rows += [row] * perturbation.order
            columns += range(perturbation.order)
        components[rows, columns] = positions
        levels[rows, columns] = chosen
        return with_sorted_slots(Combinations(components, levels, contexts))

    def decode(self, combinations: Combinations) -> list[Perturbation]:
        """The perturbations at some positions; the inverse of `encode`.

        Raises:
            InvalidError: If a position, level or context is not in the library.
        """
        self._check_positions(combinations)
        return [
            Perturbation(
                tuple(
                    self._components[position][level]
                    for position, level in zip(row, row_levels, strict=True)
                    if position != -1
                ),
                self.library.contexts[context],
            )
            for row, row_levels, context in zip(
                combinations.components.tolist(),
                combinations.levels.tolist(),
                combinations.contexts.tolist(),
                strict=True,
            )
        ]

    def space(self) -> CandidateSpace:
        """Everything the library allows: its list where it has one, else every combination.

        Doses ascend with their levels, so that a ceiling leaves the lowest ones; a perturbagen
        whose every dose lies above keeps one level, and is forbidden.

        Raises:
            SpaceTooLargeError: If there were more than 2^62 candidates.
            InvalidError: If the list names a perturbation twice.
        """
        library = self.library
        forbidden = [
            sorted(self._perturbagens[name][0] for name in together)
            for together in library.forbidden
        ]
        if library.allowed is not None:
            allowed = [each for each in library.allowed if library.is_below_ceilings(each)]
            return ListedSpace(self.encode(allowed), forbidden)
        levels = self._level_counts.copy()
        for name in library.ceilings:
            position, left = self._perturbagens[name][0], library.levels_allowed(name)
            levels[position] = max(1, left)
            forbidden += [] if left else [[position]]
        return VirtualSpace(
            levels, len(self._contexts), library.orders, forbidden, slots=library.max_order
        )

    def _check_order(self, perturbation: Perturbation) -> None:
        if perturbation.order > self.library.max_order:
            msg = (
                f"Perturbation {perturbation.key!r} names {perturbation.order} perturbagens; the "
                f"library allows {self.library.max_order} together at most."
            )
            raise InvalidError(msg)

    def _check_positions(self, combinations: Combinations) -> None:
        components, levels = combinations.components, combinations.levels
        empty = components == -1
        exists = empty | ((components >= 0) & (components < len(self._components)))
        most = self._level_counts[np.where(exists & ~empty, components, 0)]
        right = exists & (empty | ((levels >= 0) & (levels < most)))
        known = (combinations.contexts >= 0) & (combinations.contexts < len(self._contexts))
        wrong = ~(right.all(axis=1) & known)
        if wrong.any():
            msg = (
                f"Row {int(np.flatnonzero(wrong)[0])} does not belong to this library: a "
                "perturbagen, dose level or context is past its end; decode it with the library "
                "that encoded it."
            )
            raise InvalidError(msg)


def identities(perturbations: Sequence[Perturbation]) -> npt.NDArray[np.uint64]:
    """A number for each perturbation that never changes, shape (N,).

    The first eight bytes, big-endian, of the SHA-256 of the canonical key in UTF-8.
    """
    digests = (hashlib.sha256(each.key.encode()).digest()[:8] for each in perturbations)
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)
