"""Use case: how does a campaign stand, and what is the next step?"""

from collections.abc import Iterable
from dataclasses import dataclass

from loop.advice import outlook
from loop.domain.batch import BatchState, Forecast, RoundScores
from loop.domain.campaign import Campaign
from loop.domain.goal import Readout, smaller_is_better
from loop.domain.observation import ResultsFile
from loop.domain.snapshot import Snapshot
from loop.honesty import Coverage, coverage, warnings
from loop.learn import PRIOR_SCORE
from loop.outlook import Came, came, kept
from loop.provided import Services
from loop.standing import Record, read_record

_TELLING = 3.0
"""Nats in all: with fewer, a shuffled earlier screen seems to help or harm as often as not."""


@dataclass(frozen=True, slots=True)
class RoundLine:
    """One round: its batch, what came of it, and hits summed over all rounds so far.

    `random_hits` is what as many wells drawn at random would have brought, estimated from the
    audit wells of the whole campaign; None while there are none. `tails` are the hits so far below
    the lower and above the upper threshold. `forecast` is what the batch was expected to bring,
    `came` what it did.
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
    tails: tuple[int, int] = (0, 0)
    forecast: Forecast | None = None
    came: Came | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """A campaign at a glance. `next_step` is a sentence with the command to type.

    `new_observations` counts the perturbations of which the newest snapshot has not seen every
    value: new ones, later replicates and revisions. `coverage` is that of the newest chosen and
    audit wells; `forecasts_kept` tells how many forecasts' intervals held what came, and of how
    many; `outlook` what the open batch promises, or what came of the newest; `notes` are sentences
    about plates that are not learned from, and about promises that the surrogate or the lab did
    not keep.
    """

    campaign: Campaign
    rounds: tuple[RoundLine, ...]
    tested: int
    hits: int
    pending: int
    rejected_rows: int
    champion: Snapshot | None
    new_observations: int
    coverage: Coverage
    notes: tuple[str, ...]
    next_step: str
    forecasts_kept: tuple[int, int] = (0, 0)
    outlook: str | None = None


def campaign_status(services: Services, name: str) -> Status:
    """Read how a campaign stands.

    Raises:
        CampaignNotFoundError: If there is no such campaign.
    """
    with services.storage.reading() as work:
        record = read_record(work, name)
        rejected = len(work.results.rejected(name))
        files = work.results.files(name)
    fresh = _new_observations(record, files)
    return Status(
        record.campaign,
        round_lines(record),
        len(record.tested),
        len(record.hits),
        len(record.pending),
        rejected,
        record.champion,
        fresh,
        coverage(record),
        record.observed.notes + warnings(record) + _prior_notes(record.champion),
        _next_step(record, fresh),
        kept(record),
        outlook(record),
    )


def _prior_notes(champion: Snapshot | None) -> tuple[str, ...]:
    """What each earlier screen brings to the champion, a sentence each."""
    if champion is None:
        return ()
    return tuple(
        f"Prior evidence {name.removeprefix(PRIOR_SCORE)}: {nats:+.3f} nats a well out of fold; "
        f"it {_verdict(nats * champion.observations)}."
        for name, nats in champion.scores.items()
        if name.startswith(PRIOR_SCORE) and nats is not None
    )


def _verdict(nats: float) -> str:
    """In words, from the evidence of all wells together."""
    if abs(nats) < _TELLING:
        return "neither helps nor harms so far"
    return "helps" if nats > 0 else "misleads, and will be followed less as wells come in"


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
                _tails(readout, known),
                batch.forecast,
                came(record, batch),
            )
        )
    return tuple(lines)


def _tails(readout: Readout, values: list[float]) -> tuple[int, int]:
    return (
        sum(value <= readout.low for value in values),
        sum(value >= readout.high for value in values),
    )


def _best(campaign: Campaign, values: list[float]) -> float | None:
    if not values:
        return None
    return (min if smaller_is_better(campaign.goal, campaign.readout) else max)(values)


def _new_observations(record: Record, files: Iterable[ResultsFile]) -> int:
    if not record.snapshots:
        return len(record.observed.by_key)
    newest = record.snapshots[-1]
    since = {file.sha256 for file in files if file.ingested_at > newest.created_at}
    keys = {
        (plate.id, well.name): well.perturbation.key
        for dispatch in record.dispatches
        for plate in dispatch.plates
        for well in plate.wells
        if well.perturbation is not None
    }
    learnable = record.observed.corrected
    changed = {
        keys[m.plate, m.well]
        for m in record.measurements
        if m.source in since and (m.plate, m.well, m.readout) in learnable
    }
    # Late controls make a whole plate learnable at once, though none of its own values is new.
    return max(len(changed), len(record.observed.by_key) - newest.observations)


def _next_step(record: Record, fresh: int) -> str:
    name = record.campaign.name
    batch = record.open_batch
    if batch is not None:
        return {
            BatchState.PROPOSED: f"Review it, then: pertloop approve {batch.id}",
            BatchState.APPROVED: f"Send it to the lab: pertloop dispatch {batch.id}",
            BatchState.DISPATCHED: (
                f"When results are there: pertloop ingest {name} results.csv (to give up wells "
                "that were lost, ingest the results template with their values left empty)"
            ),
        }[batch.state]
    outdated = bool(record.snapshots) and record.snapshots[-1].stale
    enough = fresh >= record.campaign.retrain.after_observations
    if record.observed.by_key and (outdated or enough):
        return f"Learn from what came back: pertloop retrain {name}"
    return f"Choose the next batch: pertloop propose {name}"
