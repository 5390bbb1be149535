"""From wells to what a surrogate learns from: correct by the plate, fold the replicates."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from loop.domain.dispatch import Dispatch
from loop.domain.goal import Normalization, Readout
from loop.domain.observation import Measurement, Observation, WellStatus, fold
from loop.domain.perturbation import Perturbation
from loop.domain.plate import Role, Well
from loop.encoding import LibraryIndex, identities
from loop.ports.arrays import TrainingSet

LEAST_CONTROLS = 2


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything measured so far.

    Attributes:
        by_key: Observations by canonical key and readout, controls included.
        corrected: Value of each well after normalisation, by plate, well and readout.
        notes: A sentence for every plate that could not be learned from.
    """

    by_key: Mapping[str, Mapping[str, Observation]]
    corrected: Mapping[tuple[str, str, str], float]
    notes: tuple[str, ...]

    def value(self, key: str, readout: str) -> float | None:
        """The folded value of a perturbation, if it was measured."""
        found = self.by_key.get(key, {}).get(readout)
        return None if found is None else found.mean


def observe(
    dispatches: Iterable[Dispatch],
    measurements: Iterable[Measurement],
    readouts: Sequence[Readout],
) -> Observed:
    """Normalise every well by its own plate, then fold wells that hold the same perturbation.

    A plate whose negative controls are too few for its readout's normalisation is left out,
    with a note: learning from uncorrected values beside corrected ones would mislead.
    """
    wells = {
        (plate.id, well.name): well
        for dispatch in dispatches
        for plate in dispatch.plates
        for well in plate.wells
    }
    by_plate: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for each in measurements:
        if each.status is WellStatus.OK and each.value is not None:
            by_plate[each.plate, each.readout][each.well] = each.value
    notes: list[str] = []
    corrected: dict[tuple[str, str, str], float] = {}
    rules = {readout.name: readout.normalization for readout in readouts}
    for (plate, readout), values in by_plate.items():
        if rules[readout] is Normalization.SUBTRACT_NEGATIVE:
            offsets = _negative_medians(plate, values, wells)
            if offsets is None:
                notes.append(
                    f"Plate {plate} has fewer than {LEAST_CONTROLS} measured negative controls: "
                    f"its {len(values)} values of {readout!r} are not learned from."
                )
                continue
        else:
            offsets = {}
        for name, value in values.items():
            corrected[plate, name, readout] = value - _offset(wells[plate, name], offsets)
    return Observed(_folded(corrected, wells), corrected, tuple(notes))


def _negative_medians(
    plate: str, values: Mapping[str, float], wells: Mapping[tuple[str, str], Well]
) -> dict[str, float] | None:
    by_context: dict[str, list[float]] = defaultdict(list)
    for name, value in values.items():
        well = wells[plate, name]
        if well.role is Role.NEGATIVE and well.perturbation is not None:
            by_context[well.perturbation.context].append(value)
    contexts = {
        wells[plate, name].perturbation.context  # type: ignore[union-attr]
        for name in values
        if wells[plate, name].perturbation is not None
    }
    if any(len(by_context[context]) < LEAST_CONTROLS for context in contexts):
        return None
    return {context: median(each) for context, each in by_context.items() if each}


def _offset(well: Well, offsets: Mapping[str, float]) -> float:
    return offsets.get(well.perturbation.context, 0.0) if well.perturbation else 0.0


def _folded(
    corrected: Mapping[tuple[str, str, str], float], wells: Mapping[tuple[str, str], Well]
) -> dict[str, dict[str, Observation]]:
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    perturbations: dict[str, Perturbation] = {}
    for (plate, name, readout), value in corrected.items():
        perturbation = wells[plate, name].perturbation
        if perturbation is not None:
            perturbations[perturbation.key] = perturbation
            values[perturbation.key, readout].append(value)
    folded: dict[str, dict[str, Observation]] = defaultdict(dict)
    for (key, readout), numbers in values.items():
        folded[key][readout] = fold(perturbations[key], readout, numbers)
    return dict(folded)


def training_set(
    observed: Observed, readouts: Sequence[Readout], index: LibraryIndex, audit: frozenset[str]
) -> TrainingSet:
    """The observations as arrays, sorted by canonical key; `audit` are keys of audit wells."""
    keys = sorted(observed.by_key)
    shape = (len(keys), len(readouts))
    values, spread = np.full(shape, np.nan), np.full(shape, np.nan)
    replicates = np.zeros(shape, dtype=np.int64)
    for row, key in enumerate(keys):
        for column, readout in enumerate(readouts):
            found = observed.by_key[key].get(readout.name)
            if found is not None:
                values[row, column] = found.mean
                replicates[row, column] = found.replicates
                spread[row, column] = np.nan if found.spread is None else found.spread
    perturbations = [next(iter(observed.by_key[key].values())).perturbation for key in keys]
    return TrainingSet(
        index.encode(perturbations),
        values,
        replicates,
        spread,
        identities(perturbations),
        np.array([key in audit for key in keys], dtype=np.bool_),
    )


def data_hash(training: TrainingSet) -> str:
    """The SHA-256 of all that a surrogate would learn from."""
    digest = hashlib.sha256()
    arrays = (training.identities, training.values, training.replicates, training.spread)
    for array in (*arrays, training.audit):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
