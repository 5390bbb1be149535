"""Every way to choose wells, by name: ours (`surrogate/acquisition`) and the peers."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from benchmarks.decisions.peer import PeerFactory
from benchmarks.decisions.peers.baybe_campaign import interpreter
from benchmarks.decisions.versions import code_version
from loop import plugins
from loop.domain.errors import PluginNotFoundError
from loop.domain.nearest import did_you_mean

_ACQUISITIONS = ("auto", "greedy")
_MEASURE, _PEER_MODULES = "benchmarks.decisions.measure", "benchmarks.decisions.peers"
_NOT_RUN = ("benchmarks.decisions.catalogue", "benchmarks.decisions.strategies")
_NOT_RUN_BY_PEERS = ("loop.learn", "loop.calibration", "loop.choose")
RANDOM = "random"


@dataclass(frozen=True, slots=True)
class PeerEntry:
    """A peer: where its factory is, what it is, and modules that it runs but does not import."""

    module: str
    factory: str
    says: str
    also: tuple[str, ...] = ()

    def load(self) -> PeerFactory:
        """Import it, and nothing before."""
        module = import_module(f"{_PEER_MODULES}.{self.module}")
        return cast("PeerFactory", getattr(module, self.factory))


PEERS: Mapping[str, PeerEntry] = {
    "linear-thompson-identity": PeerEntry(
        "linear", "on_identities", "Bayesian linear regression on identities, a draw for each well"
    ),
    "linear-thompson-urs": PeerEntry(
        "linear", "on_urs", "Bayesian linear regression on 64 components of URs, a draw a well"
    ),
    "scikit-trees-greedy": PeerEntry(
        "trees", "GreedyTrees", "200 extremely randomised trees (scikit-learn), largest mean"
    ),
    "botorch-gp-logei": PeerEntry(
        "botorch_gp", "by_log_ei", "BoTorch SingleTaskGP, the q largest marginal LogEI"
    ),
    "botorch-gp-mean": PeerEntry(
        "botorch_gp", "by_mean", "BoTorch SingleTaskGP, the q largest posterior means"
    ),
    "pdbal-rule-our-draws": PeerEntry(
        "pdbal",
        "PdbalRule",
        "PDBAL, the rule of BATCHIE, on draws of our Gaussian process",
        ("surrogate.gaussian_process",),
    ),
    "baybe": PeerEntry(
        "baybe_campaign",
        "BaybeCampaign",
        "BayBE's default recommender, its own environment",
        ("benchmarks.decisions.peers.baybe_worker",),
    ),
}


def names() -> tuple[str, ...]:
    """Every strategy that could run here: random, ours, peers."""
    surrogates = [each for each in sorted(plugins.installed("surrogates")) if each != RANDOM]
    ours = [f"{surrogate}/{how}" for surrogate in surrogates for how in _ACQUISITIONS]
    return (RANDOM, *ours, *PEERS)


def check(name: str) -> None:
    """Refuse what is neither a peer nor a surrogate and an acquisition that are installed.

    Raises:
        PluginNotFoundError: If there is no such strategy.
    """
    if name in PEERS or name == RANDOM:
        return
    if "/" not in name:
        msg = (
            f"There is no strategy {name!r}.{did_you_mean(name, names())} "
            f"Give SURROGATE/ACQUISITION or one of: {', '.join((RANDOM, *PEERS))}."
        )
        raise PluginNotFoundError(msg)
    surrogate, acquisition = parts(name)
    plugins.check_name("surrogates", surrogate)
    plugins.check_name("acquisitions", acquisition)


def unavailable(name: str) -> str | None:
    """Why a strategy cannot run on this machine as it is; None if it can."""
    if name == "baybe" and not interpreter().is_file():
        return f"{interpreter()} is not there; run 'make bench-peers'"
    return None


def parts(name: str) -> tuple[str, str]:
    """Surrogate and acquisition of a strategy of ours."""
    if name == RANDOM:
        return RANDOM, RANDOM
    surrogate, _, acquisition = name.partition("/")
    return surrogate, acquisition


def version(name: str) -> str:
    """The code that a strategy's results depend on; what is asked is hashed elsewhere."""
    peer = PEERS.get(name)
    if peer is None:
        surrogate, acquisition = parts(name)
        points = (
            plugins.installed("surrogates")[surrogate],
            plugins.installed("acquisitions")[acquisition],
        )
        return code_version([_MEASURE, *(point.module for point in points)], _NOT_RUN)
    own = f"{_PEER_MODULES}.{peer.module}"
    return code_version([_MEASURE, own, *peer.also], (*_NOT_RUN, *_NOT_RUN_BY_PEERS))
