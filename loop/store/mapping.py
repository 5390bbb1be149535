"""Rows to domain and back: pure functions, two for each noun.

A mapping never decides anything. What comes back shares nothing with the row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from loop.domain.batch import (
    Batch,
    BatchState,
    Choice,
    ChosenBy,
    Forecast,
    PredictedReadout,
    RoundScores,
)
from loop.domain.campaign import (
    BatchRules,
    Campaign,
    FirstBatch,
    LabRules,
    PluginChoice,
    RetrainRules,
)
from loop.domain.constraints import Constraints, GroupRule
from loop.domain.dispatch import Dispatch, JobState
from loop.domain.goal import Direction, Goal, Normalization, Readout
from loop.domain.log import LogEntry
from loop.domain.observation import Measurement, RejectedRow, ResultsFile, WellStatus
from loop.domain.perturbation import Perturbation
from loop.domain.plate import Plate, PlateFormat, Role, Well
from loop.domain.snapshot import Snapshot, SnapshotState
from loop.store.tables import (
    BatchRow,
    CampaignRow,
    DispatchRow,
    LogRow,
    PlateRow,
    RejectedRowRow,
    ResultsFileRow,
    SnapshotRow,
)


def campaign_row(campaign: Campaign) -> CampaignRow:
    """The row of a campaign."""
    return CampaignRow(
        name=campaign.name,
        goal=campaign.goal.value,
        seed=str(campaign.seed),
        readouts=[asdict(readout) for readout in campaign.readouts],
        library_hash=campaign.library_hash,
        embeddings_hash=campaign.embeddings_hash,
        batch=asdict(campaign.batch),
        surrogate=_plugin_fields(campaign.surrogate),
        acquisition=_plugin_fields(campaign.acquisition),
        lab=asdict(campaign.lab) | {"settings": dict(campaign.lab.settings)},
        retrain=asdict(campaign.retrain),
        budget=campaign.budget,
        version=campaign.version,
        created_at=campaign.created_at,
    )


def campaign_of(row: CampaignRow) -> Campaign:
    """The campaign of a row."""
    return Campaign(
        name=row.name,
        goal=Goal(row.goal),
        seed=int(row.seed),
        readouts=tuple(_readout_of(fields) for fields in row.readouts),
        library_hash=row.library_hash,
        embeddings_hash=row.embeddings_hash,
        batch=_batch_rules_of(row.batch),
        surrogate=_plugin_of(row.surrogate),
        acquisition=_plugin_of(row.acquisition),
        lab=LabRules(
            **row.lab
            | {"plate": PlateFormat(row.lab["plate"]), "settings": dict(row.lab["settings"])}
        ),
        retrain=RetrainRules(**row.retrain),
        created_at=row.created_at,
        budget=row.budget,
        version=row.version,
    )


def _batch_rules_of(fields: dict[str, Any]) -> BatchRules:
    """Rules of a campaign; rows of older versions lack what did not exist."""
    told = dict(fields)
    told["reference"] = tuple(told["reference"])
    if "first" in told:
        told["first"] = FirstBatch(told["first"])
    if "constraints" in told:
        told["constraints"] = _constraints_of(told["constraints"])
    return BatchRules(**told)


def _constraints_of(fields: dict[str, Any]) -> Constraints:
    groups = tuple(GroupRule(**each) for each in fields["groups"])
    return Constraints(**fields | {"must_include": tuple(fields["must_include"]), "groups": groups})


def _plugin_fields(choice: PluginChoice) -> dict[str, Any]:
    return {"name": choice.name, "settings": dict(choice.settings)}


def _plugin_of(fields: dict[str, Any]) -> PluginChoice:
    return PluginChoice(fields["name"], dict(fields["settings"]))


def _readout_of(fields: dict[str, Any]) -> Readout:
    return Readout(
        **fields
        | {
            "direction": Direction(fields["direction"]),
            "normalization": Normalization(fields["normalization"]),
        }
    )


def batch_row(batch: Batch) -> BatchRow:
    """The row of a batch."""
    return BatchRow(
        id=batch.id,
        campaign=batch.campaign,
        number=batch.number,
        choices=[_choice_fields(choice) for choice in batch.choices],
        seed=str(batch.seed),
        surrogate=batch.surrogate,
        acquisition=batch.acquisition,
        snapshot=batch.snapshot,
        replicates=batch.replicates,
        created_at=batch.created_at,
        forecast=None if batch.forecast is None else asdict(batch.forecast),
        notes=list(batch.notes) or None,
        **batch_progress(batch),
    )


def batch_progress(batch: Batch) -> dict[str, Any]:
    """The columns of a batch that may change."""
    return {
        "state": batch.state.value,
        "decided_by": batch.decided_by,
        "why": batch.why,
        "scores": None if batch.scores is None else asdict(batch.scores),
    }


def batch_of(row: BatchRow) -> Batch:
    """The batch of a row."""
    return Batch(
        id=row.id,
        campaign=row.campaign,
        number=row.number,
        choices=tuple(_choice_of(fields) for fields in row.choices),
        seed=int(row.seed),
        surrogate=row.surrogate,
        acquisition=row.acquisition,
        snapshot=row.snapshot,
        created_at=row.created_at,
        replicates=row.replicates,
        state=BatchState(row.state),
        decided_by=row.decided_by,
        why=row.why,
        scores=None if row.scores is None else RoundScores(**row.scores),
        forecast=None if row.forecast is None else Forecast(**row.forecast),
        notes=tuple(row.notes or ()),
    )


def _choice_fields(choice: Choice) -> dict[str, Any]:
    return {
        "perturbation": choice.perturbation.key,
        "chosen_by": choice.chosen_by.value,
        "score": choice.score,
        "reason": choice.reason,
        "belief": {name: asdict(believed) for name, believed in choice.belief.items()},
        "inclusion_probability": choice.inclusion_probability,
        "rank": choice.rank,
        "contribution": choice.contribution,
    }


def _choice_of(fields: dict[str, Any]) -> Choice:
    return Choice(
        perturbation=Perturbation.parse(fields["perturbation"]),
        chosen_by=ChosenBy(fields["chosen_by"]),
        score=fields["score"],
        reason=fields["reason"],
        belief={name: PredictedReadout(**each) for name, each in fields["belief"].items()},
        inclusion_probability=fields["inclusion_probability"],
        # Release 0.1.0 knew neither.
        rank=fields.get("rank"),
        contribution=fields.get("contribution"),
    )


def dispatch_row(dispatch: Dispatch) -> DispatchRow:
    """The row of a dispatch, without its plates."""
    return DispatchRow(
        batch=dispatch.batch,
        key=dispatch.key,
        adapter=dispatch.adapter,
        layout_seed=str(dispatch.layout_seed),
        created_at=dispatch.created_at,
        **dispatch_progress(dispatch),
    )


def plate_rows(dispatch: Dispatch) -> list[PlateRow]:
    """The rows of a dispatch's plates, without their wells."""
    return [
        PlateRow(
            batch=dispatch.batch,
            id=plate.id,
            position=position,
            barcode=plate.barcode,
            format=plate.format.value,
        )
        for position, plate in enumerate(dispatch.plates)
    ]


def well_fields(dispatch: Dispatch) -> list[dict[str, Any]]:
    """The columns of a dispatch's wells: there are too many of them for objects."""
    return [
        {
            "batch": dispatch.batch,
            "plate": plate.id,
            "name": well.name,
            "position": position,
            "role": well.role.value,
            "perturbation": None if well.perturbation is None else well.perturbation.key,
            "replicate": well.replicate,
        }
        for plate in dispatch.plates
        for position, well in enumerate(plate.wells)
    ]


def dispatch_progress(dispatch: Dispatch) -> dict[str, Any]:
    """The columns of a dispatch that may change."""
    return {"state": dispatch.state.value, "reference": dispatch.reference}


def dispatch_of(
    row: DispatchRow, plates: Iterable[PlateRow], wells: Mapping[str, Sequence[Well]]
) -> Dispatch:
    """The dispatch of a row; its plates and, by plate, its wells, both in their order."""
    return Dispatch(
        key=row.key,
        batch=row.batch,
        adapter=row.adapter,
        plates=tuple(
            Plate(
                plate.id, plate.barcode, PlateFormat(plate.format), tuple(wells.get(plate.id, ()))
            )
            for plate in plates
        ),
        layout_seed=int(row.layout_seed),
        created_at=row.created_at,
        state=JobState(row.state),
        reference=row.reference,
    )


def well_of(name: str, role: str, perturbation: str | None, replicate: int) -> Well:
    """The well of a row's columns."""
    acting = None if perturbation is None else Perturbation.parse(perturbation)
    return Well(name, Role(role), acting, replicate)


def results_file_row(campaign: str, file: ResultsFile) -> ResultsFileRow:
    """The row of a file that was ingested."""
    return ResultsFileRow(
        campaign=campaign,
        sha256=file.sha256,
        name=file.name,
        accepted=file.accepted,
        unchanged=file.unchanged,
        superseded=file.superseded,
        rejected=file.rejected,
        ingested_at=file.ingested_at,
    )


def results_file_of(row: ResultsFileRow) -> ResultsFile:
    """The file of a row."""
    return ResultsFile(
        sha256=row.sha256,
        name=row.name,
        accepted=row.accepted,
        unchanged=row.unchanged,
        superseded=row.superseded,
        rejected=row.rejected,
        ingested_at=row.ingested_at,
    )


def measurement_fields(campaign: str, measurement: Measurement) -> dict[str, Any]:
    """The columns of a measurement: there are too many of them for objects."""
    return {
        "campaign": campaign,
        "plate": measurement.plate,
        "well": measurement.well,
        "readout": measurement.readout,
        "value": measurement.value,
        "unit": measurement.unit,
        "status": measurement.status.value,
        "source": measurement.source,
        "measured_at": measurement.measured_at,
        "flag": measurement.flag,
        "revision": measurement.revision,
    }


def measurement_of(fields: Sequence[Any]) -> Measurement:
    """The measurement of a row's columns, in the order of `Measurement`'s fields."""
    plate, well, readout, value, unit, status, source, measured_at, flag, revision = fields
    return Measurement(
        plate, well, readout, value, unit, WellStatus(status), source, measured_at, flag, revision
    )


def rejected_fields(campaign: str, rejected: RejectedRow) -> dict[str, Any]:
    """The columns of a row that was set aside."""
    return asdict(rejected) | {"campaign": campaign}


def rejected_of(row: RejectedRowRow) -> RejectedRow:
    """What was set aside."""
    return RejectedRow(row.source, row.line, row.text, row.reason)


def snapshot_row(snapshot: Snapshot) -> SnapshotRow:
    """The row of a snapshot."""
    return SnapshotRow(
        campaign=snapshot.campaign,
        id=snapshot.id,
        number=snapshot.number,
        surrogate=snapshot.surrogate,
        parent=snapshot.parent,
        data_hash=snapshot.data_hash,
        observations=snapshot.observations,
        seed=str(snapshot.seed),
        code_version=snapshot.code_version,
        scores=dict(snapshot.scores),
        created_at=snapshot.created_at,
        **snapshot_progress(snapshot),
    )


def snapshot_progress(snapshot: Snapshot) -> dict[str, Any]:
    """The columns of a snapshot that may change."""
    return {
        "state": snapshot.state.value,
        "verdict": snapshot.verdict,
        "stale": snapshot.stale,
    }


def snapshot_of(row: SnapshotRow) -> Snapshot:
    """The snapshot of a row."""
    return Snapshot(
        id=row.id,
        campaign=row.campaign,
        number=row.number,
        surrogate=row.surrogate,
        parent=row.parent,
        data_hash=row.data_hash,
        observations=row.observations,
        seed=int(row.seed),
        code_version=row.code_version,
        scores=dict(row.scores),
        verdict=row.verdict,
        created_at=row.created_at,
        state=SnapshotState(row.state),
        stale=row.stale,
    )


def log_row(campaign: str, entry: LogEntry) -> LogRow:
    """The row of a log entry."""
    return LogRow(
        campaign=campaign,
        at=entry.at,
        who=entry.who,
        verb=entry.verb,
        what=entry.what,
        origin=entry.origin,
        detail=entry.detail,
    )


def log_entry_of(row: LogRow) -> LogEntry:
    """The log entry of a row."""
    return LogEntry(row.at, row.who, row.verb, row.what, row.origin, row.detail)
