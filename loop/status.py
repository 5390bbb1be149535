"""Use case: how does a campaign stand, and what is the next step?"""

from dataclasses import dataclass

from loop.domain.batch import BatchState, RoundScores
from loop.domain.campaign import Campaign
from loop.domain.snapshot import Snapshot
from loop.provided import Services
from loop.standing import Record, read_record


@dataclass(frozen=True, slots=True)
class RoundLine:
    """One round: its batch, what came of it, and hits summed over all rounds so far.

    `random_hits` is what as many wells drawn at random would have brought, estimated from the
    audit wells of the whole campaign; None while there are none.
    """

    number: int
    batch: str
    state: BatchState
    perturbations: int
    tested: int
    hits: int
    random_hits: float | None
    best: float | None
    scores: RoundScores | None


@dataclass(frozen=True, slots=True)
class Status:
    """A campaign at a glance. `next_step` is a sentence with the command to type."""

    campaign: Campaign
    rounds: tuple[RoundLine, ...]
    tested: int
    hits: int
    pending: int
    rejected_rows: int
    champion: Snapshot | None
    new_observations: int
    notes: tuple[str, ...]
    next_step: str


def campaign_status(services: Services, name: str) -> Status:
    """Read how a campaign stands.

    Raises:
        CampaignNotFoundError: If there is no such campaign.
    """
    with services.storage.reading() as work:
        record = read_record(work, name)
        rejected = len(work.results.rejected(name))
    learned_from = record.snapshots[-1].observations if record.snapshots else 0
    fresh = len(record.observed.by_key) - learned_from
    return Status(
        record.campaign,
        round_lines(record),
        len(record.tested),
        len(record.hits),
        len(record.pending),
        rejected,
        record.champion,
        fresh,
        record.observed.notes,
        _next_step(record, fresh),
    )


def round_lines(record: Record) -> tuple[RoundLine, ...]:
    """One line for each batch that was not turned down, hits and wells summed up."""
    readout = record.campaign.readout
    tested = {each.key for each in record.tested}
    hits = {each.key for each in record.hits}
    audit = [key for key in tested if key in record.audit_keys]
    rate = len(hits.intersection(audit)) / len(audit) if audit and readout.has_threshold else None
    lines: list[RoundLine] = []
    seen: set[str] = set()
    for batch in record.batches:
        if batch.state in (BatchState.REJECTED, BatchState.CANCELLED):
            continue
        seen |= {c.perturbation.key for c in batch.choices}.intersection(tested)
        values = [record.observed.value(key, readout.name) for key in seen]
        known = [value for value in values if value is not None]
        lines.append(
            RoundLine(
                batch.number,
                batch.id,
                batch.state,
                len(batch.choices),
                len(seen),
                len(seen & hits),
                None if rate is None else rate * len(seen),
                _best(record.campaign, known),
                batch.scores,
            )
        )
    return tuple(lines)


def _best(campaign: Campaign, values: list[float]) -> float | None:
    if not values:
        return None
    downwards = campaign.goal.value == "minimize" or campaign.readout.direction.value == "down"
    return min(values) if downwards else max(values)


def _next_step(record: Record, fresh: int) -> str:
    name = record.campaign.name
    batch = record.open_batch
    if batch is not None:
        return {
            BatchState.PROPOSED: f"Review it, then: pertloop approve {batch.id}",
            BatchState.APPROVED: f"Send it to the lab: pertloop dispatch {batch.id}",
            BatchState.DISPATCHED: f"When results are there: pertloop ingest {name} results.csv",
        }[batch.state]
    if record.observed.by_key and fresh >= record.campaign.retrain.after_observations:
        return f"Learn from what came back: pertloop retrain {name}"
    return f"Choose the next batch: pertloop propose {name}"
