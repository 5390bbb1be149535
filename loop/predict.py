"""Use case: virtual experiments. What would happen, how sure is that, and why?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from loop.domain.batch import PredictedReadout
from loop.domain.errors import NothingMeasuredError
from loop.domain.perturbation import Perturbation
from loop.evidence import Evidence, MeasuredEvidence
from loop.influence import Influence, influences
from loop.learn import Learned, unpacked
from loop.parts import Parts, pieces, taken_apart
from loop.propose import predicted_readouts
from loop.provided import Services
from loop.reach import Reach
from loop.standing import Standing, read_record
from loop.ur_distance import UrDistance


@dataclass(frozen=True, slots=True)
class VirtualExperiment:
    """The belief about one perturbation, and where it comes from.

    Attributes:
        perturbation: What was asked about.
        belief: By readout, calibrated.
        measured: Its own measured value of the goal's readout, if there is one.
        contributions: What each perturbagen adds to the control alone (goal readout).
        interaction: What is left when control and contributions are taken off (goal readout);
            None below order 2.
        parts: By readout, the mean taken apart in full.
        evidence: What was measured of the like, the nearest first (goal readout).
        influence: Which wells moved the belief most (goal readout); None where the surrogate
            cannot say.
        warnings: A sentence for everything about it that is unlike all that was learned from.
    """

    perturbation: Perturbation
    belief: Mapping[str, PredictedReadout]
    measured: float | None
    contributions: Mapping[str, float]
    interaction: float | None
    parts: Mapping[str, Parts]
    evidence: tuple[Evidence, ...]
    influence: Influence | None
    warnings: tuple[str, ...]


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
    return _explained(standing, learned, asked)


def _explained(
    standing: Standing, learned: Learned, asked: list[Perturbation]
) -> list[VirtualExperiment]:
    # One question for all: what is believed of a whole and of its pieces then agrees to the bit.
    every = list({piece.key: piece for each in asked for piece in pieces(each)}.values())
    beliefs = predicted_readouts(standing, learned, every)
    belief_of = dict(zip((each.key for each in every), beliefs, strict=True))
    goal = standing.record.campaign.readout.name
    distance = UrDistance(standing.inputs.representations)
    evidence = MeasuredEvidence(standing, distance)
    moved = influences(standing, learned, asked)
    warnings = _reach(standing, learned, distance).warnings(standing.index.encode(asked))
    told = []
    for each, influence, unreached in zip(asked, moved, warnings, strict=True):
        parts = _parts(each, belief_of)
        told.append(
            VirtualExperiment(
                each,
                belief_of[each.key],
                standing.record.observed.value(each.key, goal),
                parts[goal].additive,
                parts[goal].interaction,
                parts,
                evidence.nearest(each),
                influence,
                unreached,
            )
        )
    return told


def _parts(
    whole: Perturbation, belief_of: Mapping[str, Mapping[str, PredictedReadout]]
) -> dict[str, Parts]:
    """The whole taken apart, by readout."""
    means = {piece.key: belief_of[piece.key] for piece in pieces(whole)}
    return {
        readout: taken_apart(whole, {key: each[readout].mean for key, each in means.items()})
        for readout in belief_of[whole.key]
    }


def _reach(standing: Standing, learned: Learned, distance: UrDistance) -> Reach:
    """What the surrogate learned from reaches; not what came back since."""
    training = standing.training
    learned_from = np.isin(training.identities, learned.identities)
    measured = training[learned_from & np.isfinite(training.values[:, 0])]
    inputs = standing.inputs
    return Reach(inputs.library, inputs.representations, measured.combinations, distance)
