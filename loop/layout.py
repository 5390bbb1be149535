"""Where everything goes: the perturbations of a batch and their controls, on plates."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from loop.domain.batch import Batch, Choice, ChosenBy
from loop.domain.campaign import LabRules
from loop.domain.errors import InvalidError, LayoutError
from loop.domain.perturbation import Perturbation
from loop.domain.plate import Plate, PlateFormat, Role, Well

LEAST_NEGATIVES = 3
"""Negative controls of each context on a plate: one may die, and two still give a median."""


@dataclass(frozen=True, slots=True)
class _Content:
    role: Role
    perturbation: Perturbation


def lay_out(batch: Batch, lab: LabRules, rng: np.random.Generator) -> tuple[Plate, ...]:
    """Put a batch on as few plates as hold it with their controls.

    Plates are filled alike (to within one well), and the replicates of a perturbation lie on
    different plates where there are several. Every plate has `lab.negative` negative controls,
    shared out among the contexts it uses, but at least `LEAST_NEGATIVES` of each context (none
    where `lab.negative` is 0), and `lab.positive` positive ones. Everything is scattered at
    random over the whole plate, so that no role sits on an edge or in a column of its own: most
    treatments of a batch that was chosen well are active, and only scattered controls can then
    tell a plate's offset from its effects (Mpindi et al. 2015, doi 10.1093/bioinformatics/btv455).

    Args:
        batch: Each choice is made `batch.replicates` times.
        lab: Labware and controls.
        rng: Decides who shares a plate with whom, and every position.

    Returns:
        Plates `<batch id>.p1`, …, each with its wells in the order of rows and columns.

    Raises:
        LayoutError: If the batch is empty, controls leave no room on a plate, or positive
            controls are asked for without a perturbation that is one.
    """
    if not batch.choices:
        msg = f"Batch {batch.id!r} holds no perturbation; there is nothing to lay out."
        raise LayoutError(msg)
    positives = _positives(lab)
    contexts = {choice.perturbation.context for choice in batch.choices}
    contexts |= {positive.perturbation.context for positive in positives}
    capacity = check_capacity(lab, len(contexts))
    wells_needed = len(batch.choices) * batch.replicates
    plates = -(-wells_needed // capacity)
    made: Counter[Perturbation] = Counter()
    return tuple(
        _plate(f"{batch.id}.p{number}", lab, [*treatments, *positives], made, rng)
        for number, treatments in enumerate(_dealt(batch, plates, rng), start=1)
    )


def _positives(lab: LabRules) -> list[_Content]:
    if not lab.positive:
        return []
    if lab.positive_key is None:
        msg = (
            f"lab.positive = {lab.positive} asks for positive controls, but nothing says which "
            "perturbation is one; set lab.positive_key, such as 'A|K562'."
        )
        raise LayoutError(msg)
    try:
        perturbation = Perturbation.parse(lab.positive_key)
    except InvalidError as error:
        raise LayoutError(f"lab.positive_key: {error}") from error
    return [_Content(Role.POSITIVE, perturbation)] * lab.positive


def check_capacity(lab: LabRules, contexts: int) -> int:
    """Wells of a plate that treatments may take, whichever of so many contexts it uses.

    Raises:
        LayoutError: If controls leave no room.
    """
    negatives = _negatives_needed(lab, contexts)
    capacity = lab.plate.value - negatives - lab.positive
    if capacity < 1:
        msg = (
            f"{negatives} negative and {lab.positive} positive controls leave no room on a "
            f"{lab.plate.value}-well plate ({contexts} contexts); lower lab.negative or "
            "lab.positive, or choose a larger lab.plate."
        )
        raise LayoutError(msg)
    return capacity


def _negatives_needed(lab: LabRules, contexts: int) -> int:
    return max(lab.negative, LEAST_NEGATIVES * contexts) if lab.negative else 0


def _dealt(batch: Batch, plates: int, rng: np.random.Generator) -> Iterator[list[_Content]]:
    """Deal choices in random order, replicate by replicate, one plate after the other."""
    order = rng.permutation(len(batch.choices))
    deck = [_treatment(batch.choices[place]) for place in order for _ in range(batch.replicates)]
    return (deck[plate::plates] for plate in range(plates))


def _treatment(choice: Choice) -> _Content:
    reference = choice.chosen_by is ChosenBy.REFERENCE
    return _Content(Role.REFERENCE if reference else Role.TREATMENT, choice.perturbation)


def _plate(
    name: str,
    lab: LabRules,
    contents: Sequence[_Content],
    made: Counter[Perturbation],
    rng: np.random.Generator,
) -> Plate:
    contexts = sorted({content.perturbation.context for content in contents})
    controls = [
        _Content(Role.NEGATIVE, Perturbation((), contexts[number % len(contexts)]))
        for number in range(_negatives_needed(lab, len(contexts)))
    ]
    everything = [*contents, *controls]
    places = rng.permutation(lab.plate.value)[: len(everything)]
    return Plate(name, _barcode(name), lab.plate, _wells(lab.plate, places, everything, made))


def _wells(
    labware: PlateFormat,
    places: np.ndarray[tuple[int], np.dtype[np.int64]],
    contents: Sequence[_Content],
    made: Counter[Perturbation],
) -> tuple[Well, ...]:
    """Wells in the order of rows and columns; replicates are counted over the whole batch."""
    wells = []
    for place, content in sorted(zip(places.tolist(), contents, strict=True), key=lambda p: p[0]):
        made[content.perturbation] += 1
        well = labware.well(*divmod(place, labware.columns))
        wells.append(Well(well, content.role, content.perturbation, made[content.perturbation]))
    return tuple(wells)


def _barcode(plate: str) -> str:
    return "PL" + hashlib.sha256(plate.encode()).hexdigest()[:8].upper()
