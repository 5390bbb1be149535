"""The library: what a campaign may choose from."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from loop.domain.errors import (
    DoseError,
    InvalidError,
    UnknownContextError,
    UnknownPerturbagenError,
)
from loop.domain.nearest import did_you_mean
from loop.domain.perturbation import Dose, Perturbagen, Perturbation, check_id


@dataclass(frozen=True)
class Library:
    """Perturbagens, contexts, the orders allowed, and the constraints.

    `forbidden` are sets of perturbagen ids that must never act together: a perturbation
    that contains one of them, whatever else it holds, is not a candidate.
    `allowed`, where given, lists every candidate there is (a pre-built pool, a replay).
    `ceilings` are the highest doses that may be chosen, by perturbagen; higher levels stay known
    to the library, since they may have been measured.
    """

    perturbagens: tuple[Perturbagen, ...]
    contexts: tuple[str, ...]
    orders: tuple[int, ...]
    forbidden: frozenset[frozenset[str]] = frozenset()
    allowed: tuple[Perturbation, ...] | None = None
    ceilings: Mapping[str, Dose] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Refuse an empty or contradictory library, before anything is computed from it."""
        for what, names in (
            ("perturbagen", [p.id for p in self.perturbagens]),
            ("context", list(self.contexts)),
        ):
            if not names:
                msg = f"The library holds no {what}; list at least one."
                raise InvalidError(msg)
            if len(set(names)) < len(names):
                twice = Counter(names).most_common(1)[0][0]
                msg = f"The library lists {what} {twice!r} twice; list it once."
                raise InvalidError(msg)
        for context in self.contexts:
            check_id("Context", context)
        if not self.orders or min(self.orders) < 0 or max(self.orders) > len(self.perturbagens):
            msg = (
                f"Orders {list(self.orders)} do not fit a library of {len(self.perturbagens)} "
                f"perturbagens; give whole numbers from 0 to {len(self.perturbagens)}."
            )
            raise InvalidError(msg)
        known = {p.id for p in self.perturbagens}
        for together in self.forbidden:
            for name in sorted(together - known):
                raise UnknownPerturbagenError(unknown_perturbagen(name, known, "forbidden"))
        for name, ceiling in self.ceilings.items():
            self._check_ceiling(name, ceiling)

    def _check_ceiling(self, name: str, ceiling: Dose) -> None:
        if name not in self.doses:
            where = "constraints.max_dose"
            raise UnknownPerturbagenError(unknown_perturbagen(name, self.doses, where))
        units = {dose.unit for dose in self.doses[name]}
        if ceiling.unit not in units:
            listed = ", ".join(str(dose) for dose in self.doses[name]) or "no doses at all"
            mend = f"write it in {' '.join(units)}" if units else "remove it"
            msg = (
                f"constraints.max_dose.{name} = '{ceiling}', but the library lists {listed} for "
                f"{name!r}; {mend}."
            )
            raise DoseError(msg)
        if list(self.doses[name]) != sorted(self.doses[name]):
            msg = f"constraints.max_dose.{name} needs the doses of {name!r} in ascending order."
            raise DoseError(msg)

    @property
    def max_order(self) -> int:
        """The largest number of perturbagens that may act together."""
        return max(self.orders)

    @cached_property
    def doses(self) -> Mapping[str, tuple[Dose, ...]]:
        """The dose levels of each perturbagen, by id."""
        return {each.id: each.doses for each in self.perturbagens}

    def levels_allowed(self, name: str) -> int:
        """How many of a perturbagen's dose levels, lowest first, are not above its ceiling.

        1 for a perturbagen without doses.
        """
        doses, ceiling = self.doses[name], self.ceilings.get(name)
        if ceiling is None:
            return max(1, len(doses))
        return sum(dose.value <= ceiling.value for dose in doses)

    def is_below_ceilings(self, perturbation: Perturbation) -> bool:
        """Whether no component has a dose above its ceiling."""
        return not any(
            part.dose is not None
            and part.perturbagen in self.ceilings
            and part.dose.value > self.ceilings[part.perturbagen].value
            for part in perturbation.components
        )

    def check(self, perturbation: Perturbation) -> None:
        """Refuse a perturbation that is not made of what the library holds.

        Whether it may be *chosen* is the candidate space's question; a control may always be
        asked about.

        Raises:
            UnknownPerturbagenError: If it names a perturbagen that is not in the library.
            UnknownContextError: If its context is not in the library.
            DoseError: If a dose is missing, superfluous, or not one of the levels.
        """
        if perturbation.context not in self.contexts:
            hint = did_you_mean(perturbation.context, self.contexts)
            msg = f"Context {perturbation.context!r} is not in the library.{hint}"
            raise UnknownContextError(msg)
        for part in perturbation.components:
            if part.perturbagen not in self.doses:
                raise UnknownPerturbagenError(
                    unknown_perturbagen(part.perturbagen, self.doses, perturbation.key)
                )
            doses = self.doses[part.perturbagen]
            if part.dose is None and doses:
                known = ", ".join(str(dose) for dose in doses)
                msg = f"{part.perturbagen!r} needs a dose; write one of {known} after an '@'."
                raise DoseError(msg)
            if part.dose is not None and part.dose not in doses:
                known = ", ".join(str(dose) for dose in doses) or "no doses at all"
                msg = f"{part.perturbagen!r} has no dose {part.dose}; the library lists {known}."
                raise DoseError(msg)


def unknown_perturbagen(name: str, known: Iterable[str], where: str) -> str:
    """The sentence for a perturbagen that the library does not hold."""
    hint = did_you_mean(name, known)
    return f"Perturbagen {name!r} (in {where}) is not in the library.{hint}"
