"""Several surrogates' states as one."""

from collections.abc import Mapping, Sequence

from loop.ports.arrays import SurrogateState

_BETWEEN = "/"


def nested(states: Mapping[str, SurrogateState]) -> SurrogateState:
    """One state that holds all, each under its name."""
    arrays = {
        name + _BETWEEN + key: array
        for name, state in states.items()
        for key, array in state.arrays.items()
    }
    return SurrogateState(arrays, {name: dict(each.settings) for name, each in states.items()})


def unnested(state: SurrogateState, names: Sequence[str]) -> dict[str, SurrogateState]:
    """The inverse of `nested`, for some names."""
    parts = {}
    for name in names:
        prefix = name + _BETWEEN
        arrays = {
            key.removeprefix(prefix): array
            for key, array in state.arrays.items()
            if key.startswith(prefix)
        }
        settings = state.settings[name]
        if not isinstance(settings, Mapping):
            msg = f"expected the settings of {name}, not {settings!r}"
            raise TypeError(msg)
        parts[name] = SurrogateState(arrays, dict(settings))
    return parts
