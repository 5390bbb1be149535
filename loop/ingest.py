"""Use case: results come back, are checked row by row, and are never lost or doubled."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from loop.domain.batch import Batch, BatchState
from loop.domain.campaign import Campaign
from loop.domain.dispatch import Dispatch, JobState
from loop.domain.errors import LayoutError, ResultsRefusedError
from loop.domain.nearest import did_you_mean
from loop.domain.observation import Measurement, RejectedRow, ResultsFile, WellStatus
from loop.domain.plate import Plate
from loop.ports.storage import UnitOfWork
from loop.provided import Services
from loop.results_file import ParsedResults, ResultRow, parse_results, read_results
from loop.rounds import round_scores
from loop.standing import Record, read_record


@dataclass(frozen=True, slots=True)
class Ingested:
    """What a results file brought. `again`: these bytes were known, and nothing changed."""

    file: ResultsFile
    again: bool
    batches: tuple[Batch, ...]


def ingest_results(services: Services, name: str, path: Path, keep_good: bool = False) -> Ingested:
    """Ingest a results file into a campaign.

    A file with any bad row is refused whole and nothing changes, unless `keep_good`: then good
    rows count and bad ones are stored, each with its sentence. The same bytes again change
    nothing; another value for a well and readout becomes a revision that supersedes, and
    snapshots that learned from the old one are marked stale.

    Raises:
        UnreadableFileError: If the file is not a results table.
        ResultsRefusedError: If rows are bad; the sentence quotes the first.
        CampaignNotFoundError: If there is no such campaign.
    """
    return _ingest(services, name, read_results(path), keep_good)


def collect_results(services: Services, name: str, keep_good: bool = False) -> list[Ingested]:
    """Ask the campaign's lab for results of every batch that it was given, and ingest them.

    Batches that are complete are asked for too: a file may be mended or added to later. Files
    that are known already change nothing and are not mentioned.
    """
    with services.storage.reading() as work:
        record = read_record(work, name)
    lab = services.lab(record.campaign)
    given_up = (BatchState.REJECTED, BatchState.CANCELLED)
    alive = {batch.id for batch in record.batches if batch.state not in given_up}
    found = [
        _ingest(services, name, parse_results(chunk.content, chunk.name), keep_good)
        for dispatch in record.dispatches
        if dispatch.state is JobState.QUEUED and dispatch.batch in alive and dispatch.reference
        for chunk in lab.collect(dispatch.reference)
    ]
    return [each for each in found if not each.again]


def _ingest(services: Services, name: str, parsed: ParsedResults, keep_good: bool) -> Ingested:
    with services.storage.writing() as work:
        record = read_record(work, name)
        known = work.results.file(name, parsed.sha256)
        if known is not None:
            return Ingested(known, True, ())
        desk = _Desk.of(record)
        matched = _agreeing([(row, *desk.match(row)) for row in parsed.rows])
        bad = [
            RejectedRow(parsed.sha256, problem.line, problem.text, problem.sentence)
            for problem in parsed.problems
        ] + [
            RejectedRow(parsed.sha256, row.line, row.text, sentence)
            for row, _, sentence in matched
            if sentence is not None
        ]
        bad.sort(key=lambda each: each.line)
        good = [(row, plate) for row, plate, _ in matched if plate is not None]
        if bad and not keep_good:
            foreign = _other_campaign(work, record.campaign.name, parsed.rows)
            raise ResultsRefusedError(_refusal(parsed.name, bad, len(good), foreign))
        fresh, unchanged, superseded = _revisions(record, good, parsed.sha256)
        file = ResultsFile(
            parsed.sha256,
            parsed.name,
            len(fresh),
            unchanged,
            len(superseded),
            len(bad),
            services.clock.now(),
        )
        work.campaigns.advance(record.campaign)
        work.results.record(name, file, fresh, bad)
        _mark_stale(work, record, superseded)
        moved = _settle(work, name, {plate.id for _, plate in good})
        work.log.append(name, services.entry("ingest", parsed.name, f"{len(fresh)} measurements"))
        work.commit()
    return Ingested(file, False, tuple(moved))


_Matched = tuple[ResultRow, Plate | None, str | None]


@dataclass(frozen=True)
class _Desk:
    """What a row is checked against."""

    campaign: Campaign
    keys: frozenset[str]
    by_id: Mapping[str, tuple[Plate, str]]
    by_barcode: Mapping[str, tuple[Plate, str]]
    wells: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, record: Record) -> "_Desk":
        plates = [
            (plate, dispatch.key) for dispatch in record.dispatches for plate in dispatch.plates
        ]
        return cls(
            record.campaign,
            frozenset(key for _, key in plates),
            {plate.id: (plate, key) for plate, key in plates},
            {plate.barcode: (plate, key) for plate, key in plates},
            frozenset((plate.id, well.name) for plate, _ in plates for well in plate.wells),
        )

    def match(self, row: ResultRow) -> tuple[Plate | None, str | None]:
        """The plate that a row belongs to, or the sentence that refuses it."""
        found = self.by_id.get(row.plate_id) if row.plate_id else None
        if found is None and not row.plate_id:
            found = self.by_barcode.get(row.plate_barcode)
        if found is None:
            name = row.plate_id or row.plate_barcode
            hint = did_you_mean(name, [*self.by_id, *self.by_barcode])
            return None, f"plate {name!r} was never dispatched for this campaign.{hint}"
        plate, key = found
        sentence = next(self._faults(row, plate, key), None)
        return (None, sentence) if sentence else (plate, None)

    def _faults(self, row: ResultRow, plate: Plate, key: str) -> Iterator[str]:
        if row.dispatch_key and row.dispatch_key != key:
            yield (
                f"dispatch_key {row.dispatch_key!r} is not that of plate {plate.id!r} "
                f"({key}); the file belongs to another dispatch."
            )
        if row.plate_barcode and row.plate_barcode != plate.barcode:
            yield (
                f"barcode {row.plate_barcode!r} is not that of plate {plate.id!r} "
                f"({plate.barcode}); check which plate was read."
            )
        try:
            well = plate.format.well(*plate.format.position(row.well))
            if (plate.id, well) not in self.wells:
                yield f"well {well} of plate {plate.id!r} was never dispatched; it was left empty."
        except LayoutError as error:
            yield str(error)
        readouts = {each.name: each.unit for each in self.campaign.readouts}
        if row.readout not in readouts:
            hint = did_you_mean(row.readout, readouts)
            known = ", ".join(readouts)
            yield f"readout {row.readout!r} is not of this campaign ({known}).{hint}"
        unit = readouts.get(row.readout)
        if row.unit and unit and row.unit != unit:
            yield f"unit {row.unit!r} is not that of readout {row.readout!r} ({unit}); convert it."


def _agreeing(matched: Sequence[_Matched]) -> list[_Matched]:
    """Rows that name one well in two ways (by id, by barcode) must agree, and count once."""
    first: dict[tuple[str, str, str], ResultRow] = {}
    checked: list[_Matched] = []
    for row, plate, sentence in matched:
        if plate is None:
            checked.append((row, plate, sentence))
            continue
        earlier = first.setdefault((plate.id, row.well, row.readout), row)
        if earlier is row:
            checked.append((row, plate, None))
        elif (earlier.value, earlier.status) != (row.value, row.status):
            told = (
                f"well {row.well} of plate {plate.id!r} has another value on line {earlier.line}."
            )
            checked.append((row, None, told))
    return checked


def _other_campaign(work: UnitOfWork, name: str, rows: Sequence[ResultRow]) -> str | None:
    """Another campaign whose plates these rows name, if there is one."""
    named = {row.plate_id for row in rows} | {row.plate_barcode for row in rows}
    keys = {row.dispatch_key for row in rows if row.dispatch_key}
    for campaign in work.campaigns.all():
        if campaign.name == name:
            continue
        for dispatch in work.dispatches.of(campaign.name):
            theirs = {plate.id for plate in dispatch.plates}
            theirs |= {plate.barcode for plate in dispatch.plates}
            if dispatch.key in keys or named & theirs:
                return campaign.name
    return None


def _refusal(name: str, bad: Sequence[RejectedRow], good: int, foreign: str | None) -> str:
    if foreign is not None:
        return (
            f"{name} was refused and nothing stored: it holds results of campaign {foreign!r}; "
            f"run 'pertloop ingest {foreign} {name}'."
        )
    first = bad[0]
    more = f" ({len(bad) - 1} more rows are wrong)" if len(bad) > 1 else ""
    offer = f" or pass --keep-good to take the {good} good rows" if good else ""
    return (
        f"{name} was refused and nothing stored: line {first.line}: "
        f"{first.reason.rstrip('.')}{more}; mend the file{offer}."
    )


def _revisions(
    record: Record, good: Sequence[tuple[ResultRow, Plate]], sha256: str
) -> tuple[list[Measurement], int, list[Measurement]]:
    """New measurements, how many rows were known already, and what is superseded."""
    current = {(m.plate, m.well, m.readout): m for m in record.measurements}
    fresh: list[Measurement] = []
    superseded: list[Measurement] = []
    unchanged = 0
    for row, plate in good:
        well = plate.format.well(*plate.format.position(row.well))
        old = current.get((plate.id, well, row.readout))
        if old is not None and (old.value, old.status) == (row.value, row.status):
            unchanged += 1
            continue
        if old is not None:
            superseded.append(old)
        fresh.append(
            Measurement(
                plate.id,
                well,
                row.readout,
                row.value,
                row.unit,
                row.status,
                sha256,
                row.measured_at,
                row.flag,
                1 if old is None else old.revision + 1,
            )
        )
    return fresh, unchanged, superseded


def _mark_stale(work: UnitOfWork, record: Record, superseded: Sequence[Measurement]) -> None:
    """Mark the snapshots that were trained when a superseded value was already there."""
    since = {file.sha256: file.ingested_at for file in work.results.files(record.campaign.name)}
    learned_from = [since[each.source] for each in superseded if each.status is WellStatus.OK]
    for snapshot in record.snapshots:
        if any(snapshot.created_at >= moment for moment in learned_from):
            work.snapshots.save(replace(snapshot, stale=True))


def _settle(work: UnitOfWork, name: str, plates: set[str]) -> list[Batch]:
    """Move the batches whose plates reported, and score them."""
    record = read_record(work, name)
    moved = []
    for dispatch in record.dispatches:
        if not plates & {plate.id for plate in dispatch.plates}:
            continue
        batch = next(each for each in record.batches if each.id == dispatch.batch)
        if batch.state is BatchState.APPROVED:
            batch = batch.moved_to(BatchState.DISPATCHED)
        settled = replace(
            batch.moved_to(_state_now(record, dispatch)),
            scores=round_scores(batch, record.observed, record.campaign.readout),
        )
        work.batches.save(settled)
        moved.append(settled)
    return moved


def _state_now(record: Record, dispatch: Dispatch) -> BatchState:
    """Complete when every well has reported, failed when none brought a number."""
    name = record.campaign.readout.name
    planned = {(plate.id, well.name) for plate in dispatch.plates for well in plate.wells}
    reported = [
        m for m in record.measurements if m.readout == name and (m.plate, m.well) in planned
    ]
    if len(reported) < len(planned):
        return BatchState.PARTIAL
    ok = any(m.status is WellStatus.OK for m in reported)
    return BatchState.COMPLETE if ok else BatchState.FAILED
