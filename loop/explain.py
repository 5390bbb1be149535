"""Use case: why is each perturbation in a batch, and what is the batch expected to bring?"""

from dataclasses import dataclass

from loop.advice import advice
from loop.domain.batch import Batch, Choice, ChosenBy
from loop.evidence import Evidence, MeasuredEvidence
from loop.provided import Services
from loop.standing import Record, Standing, read_record
from loop.ur_distance import UrDistance

_ORDER = (ChosenBy.ACQUISITION, ChosenBy.REQUIRED, ChosenBy.AUDIT, ChosenBy.REFERENCE)


@dataclass(frozen=True, slots=True)
class Explained:
    """A choice, and the measured perturbation nearest to it; None where nothing is near."""

    choice: Choice
    nearest: Evidence | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A batch, told choice by choice.

    `advice` is what it is expected to bring, in a sentence; None where nobody can tell.
    `choices` are what the acquisition chose, in its order, then what was required, audit wells
    and reference designs.
    """

    batch: Batch
    advice: str | None
    choices: tuple[Explained, ...]


def explain(services: Services, batch: Batch) -> Explanation:
    """Find the nearest measured evidence of every choice: O(q (n k^2 + P d)), nothing is scanned.

    Raises:
        CampaignNotFoundError: If the batch's campaign does not exist.
    """
    record = _record(services, batch)
    standing = Standing(record, services.read_inputs(record.campaign))
    evidence = MeasuredEvidence(standing, UrDistance(standing.inputs.representations))
    ordered = sorted(batch.choices, key=lambda each: _ORDER.index(each.chosen_by))
    told = [Explained(each, _nearest(evidence, each)) for each in ordered]
    return Explanation(batch, advice(record, batch), tuple(told))


def expected_of(services: Services, batch: Batch) -> str | None:
    """What a batch is expected to bring, in a sentence, and whether that is little.

    Raises:
        CampaignNotFoundError: If the batch's campaign does not exist.
    """
    return advice(_record(services, batch), batch)


def _record(services: Services, batch: Batch) -> Record:
    with services.storage.reading() as work:
        return read_record(work, batch.campaign)


def _nearest(evidence: MeasuredEvidence, choice: Choice) -> Evidence | None:
    return next(iter(evidence.nearest(choice.perturbation)), None)
