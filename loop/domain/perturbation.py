"""What acts, how much of it, and on what: perturbagen, dose, perturbation."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from loop.domain.errors import DoseError, InvalidError

_RESERVED = re.compile(r"[+|@\x00-\x1f\x7f]")
# Possessive, so that no digit of a number without unit is taken for the unit.
_UNIT = re.compile(r"(?![eE][0-9-])(?:[^\W\d_]|%)[^\s+|@\x00-\x1f\x7f]*")
_DOSE = re.compile(r"([0-9.]++(?:[eE][+-]?[0-9]++)?+)\s*(\S+)")


def check_id(what: str, text: str) -> str:
    """Return `text` if it can be part of a canonical key.

    Raises:
        InvalidError: If it is empty, padded with blanks, or holds `+`, `|`, `@` or a control
            character, which separate the parts of a key.
    """
    if not text or text != text.strip() or _RESERVED.search(text):
        msg = (
            f"{what} {text!r} cannot be an id: it must not be empty, begin or end with a blank, "
            "or hold '+', '|', '@' or a control character; rename it."
        )
        raise InvalidError(msg)
    return text


@dataclass(frozen=True, slots=True, order=True)
class Dose:
    """An amount with its unit, such as 0.5 uM."""

    value: float
    unit: str

    def __post_init__(self) -> None:
        """Refuse an amount that is not a positive number, or that has no unit."""
        if not math.isfinite(self.value) or self.value <= 0:
            msg = (
                f"Dose {self.value!r} is not a positive number; "
                "leave the perturbagen out to mean none of it."
            )
            raise DoseError(msg)
        if not _UNIT.fullmatch(self.unit):
            msg = (
                f"Dose {self.value:g} has no unit that a key could hold ({self.unit!r}); "
                f"write it as '{self.value:g}uM', say."
            )
            raise DoseError(msg)
        # What a key says is what the dose is: twelve digits.
        object.__setattr__(self, "value", float(f"{self.value:.12g}"))

    def __str__(self) -> str:
        """Write the dose as it stands in a canonical key, `0.5uM`."""
        return f"{self.value:.12g}".replace("e+", "e") + self.unit

    @classmethod
    def parse(cls, text: str) -> "Dose":
        """Read `0.5uM` or `0.5 uM`.

        Raises:
            DoseError: If there is no number, or no unit after it.
        """
        match = _DOSE.fullmatch(text.strip())
        try:
            if match:
                return cls(float(match[1]), match[2])
        except ValueError:
            pass
        msg = f"Dose {text!r} must be a number and its unit, such as '0.5uM'."
        raise DoseError(msg)


@dataclass(frozen=True, slots=True)
class Perturbagen:
    """What acts: a gene knock-down, an activation, a compound.

    `doses` are the levels a campaign may choose from; empty where dose has no meaning.
    `attributes` are any further columns of the library's table.
    """

    id: str
    kind: str = "gene"
    cost: float = 1.0
    doses: tuple[Dose, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        """Refuse ids that could not be told apart in a key, and doses in mixed units."""
        check_id("Perturbagen", self.id)
        if len({dose.unit for dose in self.doses}) > 1:
            msg = f"Perturbagen {self.id!r} has doses in several units; convert them to one."
            raise DoseError(msg)
        if len(set(self.doses)) < len(self.doses):
            msg = f"Perturbagen {self.id!r} lists a dose twice; list each level once."
            raise DoseError(msg)


@dataclass(frozen=True, slots=True, order=True)
class Component:
    """One perturbagen at one dose, as part of a perturbation."""

    perturbagen: str
    dose: Dose | None = None

    def __str__(self) -> str:
        """Write `id` or `id@dose`."""
        return self.perturbagen if self.dose is None else f"{self.perturbagen}@{self.dose}"

    @classmethod
    def parse(cls, text: str) -> "Component":
        """Read `id` or `id@dose`."""
        name, at, dose = text.partition("@")
        return cls(check_id("Perturbagen", name.strip()), Dose.parse(dose) if at else None)


@dataclass(frozen=True, slots=True)
class Perturbation:
    """A set of components in a context; the empty set is the control.

    The canonical key is the one spelling: sorted ids joined by `+`, then `|context`.

    >>> Perturbation.parse("B+A|K562").key
    'A+B|K562'
    """

    components: tuple[Component, ...]
    context: str

    def __post_init__(self) -> None:
        """Sort the components, and refuse a perturbagen that is named twice."""
        check_id("Context", self.context)
        ordered = tuple(sorted(self.components, key=lambda part: part.perturbagen))
        ids = [part.perturbagen for part in ordered]
        if len(set(ids)) < len(ids):
            twice = next(name for name in ids if ids.count(name) > 1)
            msg = f"Perturbation names {twice!r} twice; a perturbation is a set."
            raise InvalidError(msg)
        object.__setattr__(self, "components", ordered)

    @property
    def key(self) -> str:
        """The canonical key, such as `A@0.5uM+B@1uM|K562`; the control is `|K562`."""
        return "+".join(str(part) for part in self.components) + f"|{self.context}"

    @property
    def order(self) -> int:
        """How many perturbagens act together."""
        return len(self.components)

    @property
    def is_control(self) -> bool:
        """Whether nothing acts."""
        return not self.components

    @classmethod
    def parse(cls, key: str) -> "Perturbation":
        """Read a key, canonical or not.

        Raises:
            InvalidError: If there is no `|context`, an id is malformed or named twice.
            DoseError: If a dose is malformed or lacks its unit.
        """
        parts, bar, context = key.rpartition("|")
        if not bar:
            msg = f"Perturbation {key!r} names no context; write it as 'A+B|context'."
            raise InvalidError(msg)
        split = parts.split("+") if parts.strip() else []
        return cls(tuple(Component.parse(part) for part in split), context.strip())
