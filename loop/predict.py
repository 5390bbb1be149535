"""Use case: virtual experiments. What would happen, how sure is that, and why?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from loop.domain.batch import PredictedReadout
from loop.domain.errors import NothingMeasuredError
from loop.domain.perturbation import Component, Perturbation
from loop.learn import unpacked
from loop.propose import predicted_readouts
from loop.provided import Services
from loop.standing import Standing, read_record

_NEAREST = 3


@dataclass(frozen=True, slots=True)
class Evidence:
    """A measured perturbation near the one asked about."""

    key: str
    shared: int
    value: float
    replicates: int


@dataclass(frozen=True, slots=True)
class VirtualExperiment:
    """The belief about one perturbation, and where it comes from (goal readout).

    Attributes:
        perturbation: What was asked about.
        belief: By readout, calibrated.
        measured: Its own measured value, if there is one.
        evidence: The measured perturbations that share most perturbagens with it.
        contributions: What each perturbagen adds to the control alone.
        interaction: What is left when control and contributions are taken off; None below two.
    """

    perturbation: Perturbation
    belief: dict[str, PredictedReadout]
    measured: float | None
    evidence: tuple[Evidence, ...]
    contributions: dict[str, float]
    interaction: float | None


def predict(services: Services, name: str, keys: Sequence[str]) -> list[VirtualExperiment]:
    """Predict any perturbations of the library, measured or not.

    Raises:
        InvalidError: If a key is malformed or names something the library does not hold.
        NothingMeasuredError: If no surrogate has been trained yet.
    """
    with services.storage.reading() as work:
        record = read_record(work, name)
    standing = Standing(record, services.read_inputs(record.campaign))
    asked = [Perturbation.parse(key) for key in keys]
    for each in asked:
        standing.inputs.library.check(each)
    if record.champion is None:
        msg = f"Campaign {name!r} has no surrogate yet; ingest results and run 'pertloop retrain'."
        raise NothingMeasuredError(msg)
    surrogate = services.surrogate(record.campaign, standing.inputs)
    learned = unpacked(surrogate, services.states.load(record.champion.id))
    beliefs = predicted_readouts(standing, learned, asked)
    parts = sorted({p for each in asked for p in _parts(each)}, key=lambda p: p.key)
    means = learned.surrogate.believe(standing.index.encode(parts)).mean[:, 0]
    mean_of = dict(zip((part.key for part in parts), means.tolist(), strict=True))
    return [
        VirtualExperiment(
            each,
            belief,
            record.observed.value(each.key, record.campaign.readout.name),
            _nearest(standing, each),
            *_explained(each, mean_of),
        )
        for each, belief in zip(asked, beliefs, strict=True)
    ]


def _parts(whole: Perturbation) -> list[Perturbation]:
    """The whole, each component alone, and the control."""
    alone = [Perturbation((part,), whole.context) for part in whole.components]
    return [whole, *alone, Perturbation((), whole.context)]


def _explained(
    whole: Perturbation, mean_of: dict[str, float]
) -> tuple[dict[str, float], float | None]:
    control = mean_of[Perturbation((), whole.context).key]
    contributions = {
        str(part): mean_of[Perturbation((part,), whole.context).key] - control
        for part in whole.components
    }
    if whole.order < 2:
        return contributions, None
    return contributions, mean_of[whole.key] - control - float(np.sum([*contributions.values()]))


def _nearest(standing: Standing, asked: Perturbation) -> tuple[Evidence, ...]:
    """Measured perturbations by components shared, most first, then fewest others, then key."""
    readout = standing.record.campaign.readout.name
    wanted = set(asked.components)
    found: list[tuple[tuple[int, int, str], Evidence]] = []
    for key, by_readout in standing.record.observed.by_key.items():
        observation = by_readout.get(readout)
        if observation is None or key == asked.key:
            continue
        theirs = observation.perturbation
        shared = _shared(wanted, theirs.components)
        if shared and theirs.context == asked.context:
            rank = (-shared, theirs.order, key)
            found.append((rank, Evidence(key, shared, observation.mean, observation.replicates)))
    return tuple(evidence for _, evidence in sorted(found, key=lambda pair: pair[0])[:_NEAREST])


def _shared(wanted: set[Component], components: Sequence[Component]) -> int:
    return len(wanted.intersection(components))
