"""Settings of the simulated lab, as they stand in a campaign file under `[lab]`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from loop.domain.errors import InvalidError
from loop.domain.nearest import did_you_mean

_LIMITS = {
    "noise": (0.0, 1e6),
    "plate_sd": (0.0, 1e6),
    "context_sd": (0.0, 1e6),
    "edge": (-1e6, 1e6),
    "dead": (0.0, 1.0),
    "modules": (1, 64),
    "seed": (0, 2**63 - 1),
}
_OF_EVERY_LAB = ("adapter", "plate", "negative", "positive", "positive_key")
_WHOLE = frozenset({"modules", "seed"})


@dataclass(frozen=True, slots=True)
class SimulatedSettings:
    """How the simulated lab measures; amounts are in SDs of a typical pair's effect.

    Attributes:
        seed: Names the hidden truth and every error made in measuring it.
        noise: SD of one well.
        plate_sd: SD of a whole plate's offset.
        context_sd: SD of a context's own level, which its negative controls show too.
        edge: Shift of the outermost ring of wells; half of it in the next ring; each row and
            column has an offset of its own with a third of it as SD.
        dead: Chance that a well gives no number.
        modules: How many modules the perturbagens belong to.
    """

    seed: int
    noise: float = 0.5
    plate_sd: float = 0.3
    context_sd: float = 0.3
    edge: float = 0.15
    dead: float = 0.01
    modules: int = 12

    @classmethod
    def parse(
        cls, settings: Mapping[str, str | int | float | bool], seed: int
    ) -> "SimulatedSettings":
        """Read what a campaign file says; `seed` holds where it names none.

        Raises:
            InvalidError: If a setting is unknown, not a number, or out of range.
        """
        known = [field.name for field in fields(cls)]
        for name in settings:
            if name not in known:
                hint = did_you_mean(name, [*known, *_OF_EVERY_LAB])
                msg = (
                    f"lab.{name}: the adapter 'simulated' has no such setting; "
                    f"it has {', '.join(known)}.{hint}"
                )
                raise InvalidError(msg)
        read = {name: _number(name, value) for name, value in settings.items()}
        return replace(cls(seed), **read)


def _number(name: str, value: str | float | bool) -> Any:
    low, high = _LIMITS[name]
    kinds = int if name in _WHOLE else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        legal = False
    else:
        legal = math.isfinite(value) and low <= value <= high
    if not legal:
        what = "a whole number" if name in _WHOLE else "a number"
        msg = f"lab.{name} = {value!r} must be {what} from {low:g} to {high:g}."
        raise InvalidError(msg)
    return value if name in _WHOLE else float(value)
