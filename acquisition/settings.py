"""The settings an acquisition takes from the campaign file: known by name, whole or real."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from loop.domain.errors import InvalidError
from loop.domain.nearest import did_you_mean

Setting = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Number:
    """A setting that is a number: whole if its default is whole, from `least` to `most`."""

    default: float
    least: float
    most: float = math.inf

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are taken."""
        return isinstance(self.default, int)


def read_settings(
    acquisition: str, given: Mapping[str, Setting], known: Mapping[str, Number]
) -> dict[str, float]:
    """The value of every known setting, the default where none is given.

    Raises:
        InvalidError: If a setting is unknown, of the wrong type, or too small.
    """
    for key in given:
        if key not in known:
            names = ", ".join(sorted(known)) or "none at all"
            hint = did_you_mean(key, known)
            msg = f"Acquisition {acquisition!r} has no setting {key!r} (it has: {names}).{hint}"
            raise InvalidError(msg)
    return {
        key: _checked(acquisition, key, given[key], number) if key in given else number.default
        for key, number in known.items()
    }


def _within(value: float, number: Number) -> bool:
    return math.isfinite(value) and number.least <= value <= number.most


def _checked(acquisition: str, key: str, value: Setting, number: Number) -> float:
    right = int if number.whole else (int, float)
    fits = isinstance(value, right) and not isinstance(value, bool)
    if isinstance(value, str) or not fits or not _within(value, number):
        kind = "a whole number" if number.whole else "a number"
        most = f" and at most {number.most:g}" if math.isfinite(number.most) else ""
        msg = (
            f"Setting {key!r} of acquisition {acquisition!r} is {value!r}; "
            f"it must be {kind} of at least {number.least:g}{most}."
        )
        raise InvalidError(msg)
    return value
