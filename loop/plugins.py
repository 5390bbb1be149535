"""Names to spokes, through entry points: the hub imports none of them."""

from importlib.metadata import EntryPoint, entry_points
from typing import cast

from loop.domain.errors import PluginNotFoundError
from loop.domain.nearest import did_you_mean
from loop.ports.engine import Acquisition, SurrogateFactory
from loop.ports.lab import LabAdapterFactory


def installed(kind: str) -> dict[str, EntryPoint]:
    """The plug-ins of a kind ('surrogates', 'acquisitions', 'lab_adapters') by name."""
    return {point.name: point for point in entry_points(group=f"pertloop.{kind}")}


def check_name(kind: str, name: str) -> None:
    """Refuse a name that no installed plug-in has, without importing anything.

    Raises:
        PluginNotFoundError: The sentence lists what is installed.
    """
    known = installed(kind)
    if name not in known:
        noun = kind.removesuffix("s").replace("_", " ")
        listed = ", ".join(sorted(known)) or "nothing; run 'make install'"
        msg = f"There is no {noun} {name!r}.{did_you_mean(name, known)} Installed: {listed}."
        raise PluginNotFoundError(msg)


def _load(kind: str, name: str) -> object:
    check_name(kind, name)
    return installed(kind)[name].load()


def surrogate(name: str) -> SurrogateFactory:
    """The factory of a surrogate."""
    return cast("SurrogateFactory", _load("surrogates", name))


def acquisition(name: str) -> Acquisition:
    """An acquisition."""
    made = cast("type[Acquisition]", _load("acquisitions", name))
    return made()


def lab_adapter(name: str) -> LabAdapterFactory:
    """The factory of a lab adapter."""
    return cast("LabAdapterFactory", _load("lab_adapters", name))
