"""Settings from a campaign file, checked against what a surrogate understands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loop.domain.errors import InvalidError
from loop.domain.nearest import did_you_mean

Setting = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Range:
    """What a numeric setting may be, and what it is when it is not given."""

    default: float
    low: float
    high: float
    whole: bool = False


def read_settings(
    surrogate: str,
    given: Mapping[str, Setting],
    known: Mapping[str, Range],
    others: Sequence[str] = (),
) -> dict[str, float]:
    """Every known numeric setting by name, the given ones in place of the defaults.

    `others` are names of further settings that are no numbers; they are read elsewhere.

    Raises:
        InvalidError: If a name is unknown, or a value is no number in its range.
    """
    every = [*known, *others]
    for name in given:
        if name not in every:
            takes = ", ".join(sorted(every)) or "no settings"
            msg = (
                f"[surrogate] {name}: the {surrogate} surrogate has no such setting."
                f"{did_you_mean(name, every)} It takes: {takes}."
            )
            raise InvalidError(msg)
    return {
        name: _checked(name, given[name], allowed) if name in given else allowed.default
        for name, allowed in known.items()
    }


def _checked(name: str, value: Setting, allowed: Range) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if (
        not number
        or not allowed.low <= float(value) <= allowed.high
        or (allowed.whole and float(value) != int(value))
    ):
        kind = "a whole number" if allowed.whole else "a number"
        msg = (
            f"[surrogate] {name} = {value!r}: expected {kind} from {allowed.low:g} to "
            f"{allowed.high:g}; the default is {allowed.default:g}."
        )
        raise InvalidError(msg)
    return float(value)
