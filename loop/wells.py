"""In which wells, of which rounds, a perturbation was measured."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loop.standing import Record


@dataclass(frozen=True, slots=True)
class Well:
    """A well that reported the goal's readout: the round, the plate, and its name."""

    round: int
    plate: str
    name: str


def measured_wells(record: Record) -> Mapping[str, Sequence[Well]]:
    """The wells behind every observation of the goal's readout, by canonical key."""
    rounds = {batch.id: batch.number for batch in record.batches}
    readout = record.campaign.readout.name
    found: dict[str, list[Well]] = defaultdict(list)
    for dispatch in record.dispatches:
        for plate in dispatch.plates:
            for well in plate.wells:
                there = (plate.id, well.name, readout) in record.observed.corrected
                if there and well.perturbation is not None:
                    place = Well(rounds[dispatch.batch], plate.id, well.name)
                    found[well.perturbation.key].append(place)
    return found
